import { defineConfig } from 'vitest/config';

// Two files at a time: each starts a Cassandra of its own and waits for it much of the time; more are too much for two cores.
export default defineConfig({
  test: {
    globalSetup: './test/support/temporary_directory.ts',
    include: ['test/integration/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 900_000,
  },
});
