const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** Milliseconds as people say them, in the two largest units: `3h 12m`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  let left = seconds;
  const parts: string[] = [];
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.join(' ');
}

/** Bytes in powers of ten: `1.2 MB`. */
export function bytes(count: number): string {
  return scaled(count, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

function scaled(count: number, units: readonly string[]): string {
  let [value, step] = [count, 0];
  while (value >= 999.5 && step < units.length - 1) {
    value /= 1_000;
    step++;
  }
  const digits = step === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[step]}`;
}

/** `1 234 567`, with spaces that do not break. */
export function count(number: number | undefined): string {
  return number === undefined ? '–' : String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `12 ms`, `1.2 s`. */
export function milliseconds(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}
