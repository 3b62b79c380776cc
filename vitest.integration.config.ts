import { defineConfig } from 'vitest/config';

// One file at a time: each starts a Cassandra of its own, and two at once are too much for a small machine.
export default defineConfig({
  test: {
    include: ['test/integration/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 900_000,
  },
});
