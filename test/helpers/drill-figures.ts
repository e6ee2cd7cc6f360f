import { appendFileSync } from 'node:fs';

/** `npm run drills` sets both: how long each drill is to last, and where its figures are collected. */
const SECONDS = Number(process.env.VANE_DRILL_SECONDS ?? 0);
const FILE = process.env.VANE_DRILL_FIGURES;

/** Length of what a drill does over and over: `usual` in `npm test`, longer in `npm run drills`. */
export function drillSeconds(usual: number): number {
  return Math.max(usual, SECONDS);
}

/** The same for a number of rounds, of which each takes about a second. */
export function drillRounds(usual: number): number {
  return Math.max(usual, Math.round(SECONDS / 2));
}

/** How many of something a drill has: `usual` in `npm test`, and in `npm run drills` as many as it is to prove. */
export function drillCount(usual: number, long: number): number {
  return SECONDS > 0 ? long : usual;
}

/** Time limit of a test whose long part is `seconds` long. */
export function drillTimeout(seconds: number): { readonly timeout: number } {
  return { timeout: 45_000 + seconds * 2_000 };
}

/** Tells a figure that was measured, and where there is one the bar it has to meet. */
export function figure(drill: string, what: string, value: number | string, bar = ''): void {
  const shown = typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
  console.log(`${drill}: ${what}: ${shown}${bar && `, bar: ${bar}`}`);
  if (FILE) appendFileSync(FILE, `${JSON.stringify({ drill, what, value: shown, bar })}\n`);
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
