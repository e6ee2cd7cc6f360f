import type { Outcome } from '../measure.ts';
import { ratio, type Spread, samplesOf, spread } from './statistics.ts';

/** What Vane wants to reach in one scenario. */
interface Bar {
  readonly scenario: string;
  readonly text: string;
  readonly limit: number;
  /** Whether the figure has to be at least the limit, or at most. */
  readonly at: 'least' | 'most';
  readonly unit: '×' | ' KB';
  figure(outcome: Outcome): Spread | undefined;
}

/** Whether a bar is reached; by the median. No figure: it was not measured in this run. */
export interface Verdict {
  readonly text: string;
  readonly bar: string;
  readonly figure?: string;
  readonly verdict: 'pass' | 'FAIL' | 'not measured';
}

const memory = (outcome: Outcome) =>
  spread(samplesOf(outcome, 'vane').map(({ bytesPerConnection: bytes }) => bytes && bytes / 1024));

const work = (base: string) => (outcome: Outcome) => ratio(outcome, 'vane', base, 'perCpuSecond');

const BARS: readonly Bar[] = [
  more('keep-alive', 'Keep-alive GET: requests per CPU-second to HAProxy', 0.75),
  more('keep-alive', 'Keep-alive GET: requests per CPU-second to http-proxy-3', 6, 'http-proxy-3'),
  more('new-connections', 'New connection per request: to HAProxy', 0.5),
  guarded('keep-alive', 'Keep-alive GET'),
  guarded('new-connections', 'New connection per request'),
  guarded('post', 'POST of 4 KB'),
  more('download', 'Download of 10 MB: to HAProxy', 0.75),
  more('upload', 'Upload of 10 MB: to HAProxy', 0.75),
  more('tcp-relay', 'TCP relay: to HAProxy', 0.8),
  {
    scenario: 'latency',
    text: 'p99 at 70 % load: to HAProxy',
    limit: 2,
    at: 'most',
    unit: '×',
    figure: (outcome) => ratio(outcome, 'vane', 'haproxy', 'p99Ms'),
  },
  more('access-log', 'Access log on: to HAProxy', 0.6),
  more('dns', 'DNS: queries per CPU-second to a naive dns-packet server', 1.13, 'naive-dns'),
  more('dns', 'DNS: queries per CPU-second to dnsmasq', 0.64, 'dnsmasq'),
  {
    scenario: 'idle-connections',
    text: 'Memory of an idle connection',
    limit: 12,
    at: 'most',
    unit: ' KB',
    figure: memory,
  },
  {
    scenario: 'unread-answers',
    text: 'Memory of a client that does not read its answer',
    limit: 192,
    at: 'most',
    unit: ' KB',
    figure: memory,
  },
  {
    scenario: 'workers',
    text: 'From one worker to two: requests per second',
    limit: 1.8,
    at: 'least',
    unit: '×',
    figure: (outcome) => ratio(outcome, 'vane-2-workers', 'vane', 'perSecond'),
  },
];

export function verdicts(outcomes: readonly Outcome[]): Verdict[] {
  return BARS.map((bar) => {
    const outcome = outcomes.find(({ scenario }) => scenario.name === bar.scenario);
    const found = outcome && bar.figure(outcome);
    const limit = `${bar.at === 'least' ? '≥' : '≤'} ${bar.limit}${bar.unit}`;
    if (found === undefined) return { text: bar.text, bar: limit, verdict: 'not measured' };
    const reached = bar.at === 'least' ? found.median >= bar.limit : found.median <= bar.limit;
    const figure = `${found.median.toFixed(2)}${bar.unit}`;
    return { text: bar.text, bar: limit, figure, verdict: reached ? 'pass' : 'FAIL' };
  });
}

/** Checks, retries and queues cost next to nothing while nothing fails. */
function guarded(scenario: string, title: string): Bar {
  const figure = (outcome: Outcome) => ratio(outcome, 'vane-guarded', 'vane', 'perCpuSecond');
  const text = `${title}: with checks, retries and queues, to without`;
  return { scenario, text, limit: 0.95, at: 'least', unit: '×', figure };
}

function more(scenario: string, text: string, limit: number, base = 'haproxy'): Bar {
  return { scenario, text, limit, at: 'least', unit: '×', figure: work(base) };
}
