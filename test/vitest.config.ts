import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup/fast-check.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores in CI, and most tests wait for something: with more of them the timing of real sockets gets worse.
    maxWorkers: 4,
    // Tests that are marked as concurrent wait most of the time.
    maxConcurrency: 16,
  },
});
