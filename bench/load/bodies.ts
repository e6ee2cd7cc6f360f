/** What the origin answers to nearly everything: 36 bytes. */
export const SMALL_BODY = 'The origin of the benchmark was here';

/** Size of a large body: 10 MB. */
export const LARGE_BYTES = 10 * 2 ** 20;
