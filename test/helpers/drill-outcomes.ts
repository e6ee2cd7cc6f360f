import { appendFileSync } from 'node:fs';

/** What docs/drills.md tells of, in its order. */
export const DRILLS = {
  deregister: '1 of 3 deregistered, long downloads under way',
  scale: 'scaled from 3 to 10 to 1',
  replace: 'all 3 replaced by new addresses within 1 s',
  critical: 'all critical, then one back',
  'emptied-drain': 'catalogue emptied, `on-empty: drain`, then filled again',
  'emptied-keep': 'catalogue emptied, `on-empty: keep`',
  maintenance: 'maintenance on and off',
  cold: 'a joiner whose first answers are slow for a second',
  'registry-dead': 'registry dead, followed by DNS from outside',
  'registry-hung': 'registry hung, followed by DNS from outside',
  silent: 'nameserver silent, then one of 2 replaced',
  garbage: 'nameserver answers garbage, then one of 2 replaced',
  nxdomain: 'nameserver answers NXDOMAIN, then one of 2 replaced',
  truncated: 'answers truncated (whole over TCP), one of 2 replaced meanwhile',
  'ttl-0': 'TTL 0, then one of 2 replaced',
  rotating: 'the one A record changes every 2 s',
  unresolvable: 'name unresolvable at the start, then there',
} as const;

export type DrillName = keyof typeof DRILLS;

/** What one proxy did in one drill. */
export interface Outcome {
  readonly drill: DrillName;
  readonly proxy: string;
  readonly requests: number;
  /** While there was a healthy instance that the proxy had had time to hear of. */
  readonly failed: number;
  /** The longest time that a client waited for an answer, or in which none got a good one, while there was one to get. */
  readonly stallMs: number;
  /** Requests begun on instances after these had left. */
  readonly late: number;
  /** How long after it the last of them began; undefined: there was none, or nothing left. */
  readonly lastLateMs: number | undefined;
  /** Ms allowed for that. */
  readonly bar: number | undefined;
  readonly note: string;
}

/** Where `npm run drills` collects them. */
const FILE = process.env.VANE_DRILL_OUTCOMES;

export function recordOutcome(outcome: Outcome): void {
  const { drill, proxy, requests, failed, stallMs, late, lastLateMs, note } = outcome;
  const last = lastLateMs === undefined ? '' : ` (last ${lastLateMs.toFixed(1)} ms)`;
  const text = `${failed} of ${requests} failed, longest stall ${stallMs.toFixed(0)} ms, ${late} late${last} ${note}`;
  console.log(`${drill}: ${proxy}: ${text}`);
  if (FILE) appendFileSync(FILE, `${JSON.stringify(outcome)}\n`);
}
