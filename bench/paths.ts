import { fileURLToPath } from 'node:url';

/** The checkout, and the folder of the benchmark in it; both end with a slash. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BENCH = fileURLToPath(new URL('.', import.meta.url));
