import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup/fast-check.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores in CI: more files at once only make the timing of real sockets worse.
    maxWorkers: 2,
    // Tests that are marked as concurrent wait most of the time.
    maxConcurrency: 16,
  },
});
