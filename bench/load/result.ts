/** What a generator of load has seen; every one prints it as one line of JSON. */
export interface LoadResult {
  /** Answers that were good. */
  readonly done: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Bytes of answers, where the generator counts them. */
  readonly bytes?: number;
  /** What was asked for by a paced load, in requests a second. */
  readonly wantedPerSecond?: number;
}
