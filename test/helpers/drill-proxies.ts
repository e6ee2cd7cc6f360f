import { spawnSync } from 'node:child_process';
import { type HaproxyOptions, startHaproxy } from './drill-haproxy.ts';
import { type Instances, monotonic } from './drill-instances.ts';
import { type Client, Load } from './drill-load.ts';
import { DRILLS, type DrillName, recordOutcome } from './drill-outcomes.ts';
import { answeredBy } from './drill-vane.ts';

/** The long form, in which HAProxy is measured beside Vane. */
export const IS_LONG = process.env.VANE_DRILL_SECONDS !== undefined;

/** How long a proxy may take to follow what it is told at once. */
export const PUSH_MS = 50;

/** Who is measured. */
export interface Measured {
  readonly name: string;
  readonly port: number;
  /** Ms that it may take to follow a change. */
  readonly bar: number;
}

interface Runner extends Measured {
  readonly load: Load;
}

/** The instances that left, and when, as {@link monotonic} tells. */
export interface Left {
  readonly instance: string;
  readonly at: number;
  /** When it was back; undefined: it was not. */
  readonly until?: number;
}

export interface Told {
  readonly left?: readonly Left[];
  /** Times in which no instance was healthy, as {@link monotonic} tells. */
  readonly without?: readonly { readonly from: number; readonly to: number }[];
  readonly note?: string;
  /** What holds for one proxy only, by its name. */
  readonly notes?: ReadonlyMap<string, string>;
}

/** One load on each of some proxies, so that all of them meet the same events. */
export class Drill implements AsyncDisposable {
  readonly #name: DrillName;
  readonly #runners: readonly Runner[];
  readonly #instances: Instances;

  private constructor(name: DrillName, instances: Instances, runners: readonly Runner[]) {
    this.#name = name;
    this.#instances = instances;
    this.#runners = runners;
  }

  /** Begins once each is served by exactly these instances; without `names` at once. */
  static async begin(
    name: DrillName,
    instances: Instances,
    proxies: readonly Measured[],
    options: { readonly names?: readonly string[]; readonly path?: string } = {},
  ): Promise<Drill> {
    const { names, path = '/fast' } = options;
    console.log(`${DRILLS[name]} …`);
    if (names) await Promise.all(proxies.map(({ port }) => answeredBy(port, names, 20_000)));
    const runners = proxies.map((proxy) => ({
      ...proxy,
      load: new Load({ port: proxy.port, clients: clients(`${path}?via=${proxy.name}`), pause: 10 }),
    }));
    return new Drill(name, instances, runners);
  }

  /** Waits until each has had that many answers from now on. */
  async more(count: number): Promise<void> {
    await Promise.all(this.#runners.map(({ load }) => load.more(count)));
  }

  /** Goes on for a time, ms. */
  async during(ms: number): Promise<void> {
    const until = monotonic() + ms;
    while (monotonic() < until) await this.more(1);
  }

  /** Ends the loads, and tells what became of them; returns what Vane did. */
  async end({ left = [], without = [], note = '', notes }: Told = {}) {
    await Promise.all(this.#runners.map(({ load }) => load.stop()));
    const noted = this.#instances.noted().filter(({ event }) => event === 'start');
    const outcomes = this.#runners.map(({ name, bar, load }) => {
      const late = left.flatMap(({ instance, at, until = Number.POSITIVE_INFINITY }) =>
        noted
          .filter((one) => one.instance === instance && one.target.includes(`via=${name}`))
          .filter((one) => one.at > at && one.at < until)
          .map((one) => one.at - at),
      );
      const whole = load.answered.map((one) => ({ ...one, from: one.at - one.ms }));
      // What was asked before the proxies could hear of the first healthy instance is nobody's fault.
      const excused = ({ from, at }: { from: number; at: number }) =>
        without.some((time) => at > time.from && from < time.to + bar);
      const failed = whole.filter((one) => one.problem !== undefined && !excused(one));
      const good = whole.filter(({ problem }) => problem === undefined).sort((a, b) => a.at - b.at);
      const gaps = good.slice(1).map((one, i) => ({ from: good[i]?.at ?? one.at, at: one.at }));
      const stalls = gaps.filter((gap) => !excused(gap)).map(({ from, at }) => at - from);
      const backAfter = without.map(({ to }) => (good.find(({ at }) => at > to)?.at ?? Number.NaN) - to);
      const waits = good.map(({ ms }) => ms);
      const outcome = {
        drill: this.#name,
        proxy: name,
        requests: whole.length,
        failed: failed.length,
        stallMs: Math.max(0, ...stalls, ...waits),
        late: late.length,
        lastLateMs: late.length > 0 ? Math.max(...late) : undefined,
        bar: left.length > 0 ? bar : undefined,
        note: [
          note,
          notes?.get(name) ?? '',
          ...backAfter.map((ms) => `first good answer ${Math.round(ms)} ms after`),
        ]
          .filter(Boolean)
          .join('; '),
      };
      recordOutcome(outcome);
      return { ...outcome, problems: [...new Set(failed.map(({ problem }) => problem))] };
    });
    const vane = outcomes.find(({ proxy }) => proxy === 'Vane');
    if (!vane) throw new Error('Vane was not measured');
    return vane;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runners.map(({ load }) => load.stop()));
  }
}

/** HAProxy beside Vane, in the long form and where it is installed: an empty list otherwise. */
export async function besideVane(
  stack: AsyncDisposableStack,
  options: HaproxyOptions & { readonly bar: number },
): Promise<Measured[]> {
  if (!IS_LONG || !hasHaproxy()) return [];
  const { port } = stack.use(await startHaproxy(options));
  return [{ name: 'HAProxy', port, bar: options.bar }];
}

function hasHaproxy(): boolean {
  return (
    spawnSync('sh', ['-c', 'PATH="$PATH:/usr/sbin:/sbin" command -v haproxy'], { stdio: 'ignore' }).status ===
    0
  );
}

function clients(path: string): readonly Client[] {
  return [
    { method: 'GET', path, keepAlive: true },
    { method: 'GET', path, keepAlive: true },
    { method: 'GET', path, keepAlive: false },
    { method: 'POST', path, keepAlive: true },
  ];
}
