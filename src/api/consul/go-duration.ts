const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1e3],
  ['m', 60e3],
  ['h', 3600e3],
]);

/** Go's time.Duration counts nanoseconds in 63 bits: about 292 years. */
export const LONGEST_MS = (2 ** 63 - 1) / 1e6;

const SHAPE = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/**
 * Parses Go's duration grammar (`1h30m`, `-1.5s`, `500ms`, a bare `0`) into milliseconds; undefined when the
 * text is no duration. https://pkg.go.dev/time#ParseDuration
 */
export function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const shape = SHAPE.exec(text);
  if (!shape) return undefined;
  let total = 0;
  for (const [, count, unit] of (shape[2] ?? '').matchAll(PART)) {
    total += Number(count) * (UNIT_MS.get(unit ?? '') ?? 0);
  }
  if (total > LONGEST_MS) return undefined;
  return shape[1] === '-' ? -total : total;
}

/** Go's reason why a text is no duration. */
export function durationProblem(text: string): string {
  const quoted = JSON.stringify(text);
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)
    ? `time: missing unit in duration ${quoted}`
    : `time: invalid duration ${quoted}`;
}
