/** One line of the table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: '' | 'MB' | 'KB' | 'ms' | 'µs' | '%' | '/s';
  /** What it shall be at most or at least, where something is wanted of it. */
  readonly bar?: { readonly at: 'most' | 'least'; readonly limit: number };
}

/** What one part of the benchmark has found. */
export interface Part {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  readonly figures: readonly Figure[];
}

export function reaches({ value, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return bar.at === 'most' ? value <= bar.limit : value >= bar.limit;
}

/** The value that `share` (0 to 1) of all do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function megabytes(bytes: number): number {
  return bytes / 2 ** 20;
}
