/** What docs/drills.md tells of instances that fail, in its order. */
export const FAILURES = {
  killed: 'SIGKILL, and back at the same address a second later',
  hung: 'SIGSTOP, then SIGCONT',
  errors: 'answers 500 to everything',
  reset: 'resets each connection it has accepted',
  slow: 'answers after 2 s instead of 5 ms',
  flapping: 'there and gone, a second each',
  half: 'cuts half of its answers in the middle',
  overload: 'no instance fails: three times as many requests as they can serve',
} as const;

export type FailureName = keyof typeof FAILURES;

/** What one proxy did while one of three instances failed. */
export interface FailureOutcome {
  readonly failure: FailureName;
  readonly proxy: string;
  readonly gets: number;
  /** Anything but a whole 200. */
  readonly getsFailed: number;
  readonly posts: number;
  readonly postsFailed: number;
  readonly postsTwice: number;
  /** Took longer than a second. */
  readonly stalled: number;
  /** 99th percentile of good answers before, ms, and while it failed, once checks could have noticed. */
  readonly p99Before: number;
  readonly p99During: number;
  readonly note: string;
}

const COLUMNS = [
  'Proxy',
  'GET failed',
  'POST failed',
  'POST executed twice',
  'Longer than 1 s',
  'p99 before, ms',
  'p99 while, ms',
  'Note',
];

/** The part of docs/drills.md about instances that fail; empty if nothing was measured. */
export function failureLines(outcomes: readonly FailureOutcome[]): readonly string[] {
  if (outcomes.length === 0) return [];
  const names = Object.keys(FAILURES) as FailureName[];
  return [
    '## Instances that fail',
    '',
    'One of three instances, which need 5 ms for a request, does what is said. 200 requests a second come to each proxy however slowly they are answered: four of five GET, the others POST; four of five over kept connections. Both check `inter 500ms fall 2 rise 1`, try again with `retry-on all-retryable-errors`, redispatch at once, and wait 3 s for an answer; Vane has `outlier: errors 5 time 2s max 34%` besides, of which HAProxy has nothing. A POST that was sent may have been executed: HAProxy sends it again, Vane does not and says 502 or 504. "While" begins 1.5 s after the failure, when checks can have noticed.',
    '',
    ...names.flatMap((name) => [
      `### ${FAILURES[name].charAt(0).toUpperCase()}${FAILURES[name].slice(1)}`,
      '',
      `| ${COLUMNS.join(' | ')} |`,
      `| ${COLUMNS.map((_, i) => (i === 0 || i === COLUMNS.length - 1 ? '-' : '-:')).join(' | ')} |`,
      ...outcomes.filter(({ failure }) => failure === name).map((one) => `| ${cells(one).join(' | ')} |`),
      '',
    ]),
  ];
}

/** What a full run would have measured besides. */
export function missingFailures(outcomes: readonly FailureOutcome[]): readonly string[] {
  return Object.keys(FAILURES).filter((name) =>
    outcomes.every(({ failure, proxy }) => failure !== name || proxy !== 'Vane'),
  );
}

function cells(one: FailureOutcome): readonly string[] {
  const { proxy, gets, getsFailed, posts, postsFailed, postsTwice, stalled, p99Before, p99During } = one;
  return [
    proxy,
    `${getsFailed} of ${gets}`,
    `${postsFailed} of ${posts}`,
    `${postsTwice}`,
    `${stalled}`,
    p99Before.toFixed(0),
    p99During.toFixed(0),
    one.note,
  ];
}
