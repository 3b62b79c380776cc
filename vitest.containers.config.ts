import { defineConfig } from 'vitest/config';

// By test/containers/run.ts, which finds an engine and prepares the images.
export default defineConfig({
  test: {
    globalSetup: './test/support/temporary_directory.ts',
    include: ['test/containers/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 600_000,
  },
});
