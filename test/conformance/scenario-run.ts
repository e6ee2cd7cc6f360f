import { Backend, Scripts } from './check-targets.ts';
import { bucket } from './comparable.ts';
import { holds } from './condition.ts';
import { comparableDns, recordTexts } from './dns-comparable.ts';
import { askDns } from './dns-exchange.ts';
import { comparableHttp } from './http-comparable.ts';
import { startRequest } from './http-exchange.ts';
import { type JsonObject, valueAt } from './json-values.ts';
import type { Scenario, Step } from './scenario.ts';
import type { Self, Target } from './target.ts';
import { filled, type Variables } from './variables.ts';

/** Takes the answer of each step, its id and the request behind it; what it throws ends the scenario. */
export type OnAnswer = (id: string, answer: JsonObject, request: string) => void;

const LIMIT_MS = 60_000;
const SLOW_LIMIT_MS = 300_000;
/** After this a blocking query counts as parked. */
const SETTLE_MS = 250;

const ignored: OnAnswer = () => {};

/** Runs a scenario against a registry. What an interrupted run may have left is removed before, and all after. */
export async function runScenario(
  scenario: Scenario,
  target: Target,
  self: Self,
  onAnswer: OnAnswer,
): Promise<void> {
  await new Run(scenario, target, self, ignored).cleanup();
  const run = new Run(scenario, target, self, onAnswer);
  const limit = scenario.limitMs ?? (scenario.slow ? SLOW_LIMIT_MS : LIMIT_MS);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${limit} ms`)), limit);
  });
  try {
    await Promise.race([run.steps(scenario.steps), timeout]);
  } finally {
    clearTimeout(timer);
    await run.cleanup();
  }
}

class Run {
  readonly #scenario: Scenario;
  readonly #target: Target;
  readonly #self: Self;
  readonly #variables: Variables;
  readonly #backends = new Map<string, Backend>();
  readonly #scripts = new Scripts();
  #onAnswer: OnAnswer;
  #count = 0;

  constructor(scenario: Scenario, target: Target, self: Self, onAnswer: OnAnswer) {
    this.#scenario = scenario;
    this.#target = target;
    this.#self = { ...self, replacements: [] };
    this.#onAnswer = onAnswer;
    this.#variables = new Map<string, unknown>([
      ['dc', self.datacenter],
      ['DC', self.datacenter.toUpperCase()],
      ['node', self.node],
      ['addr', self.address],
      ['p', scenario.prefix],
    ]);
  }

  async steps(list: readonly Step[]): Promise<void> {
    for (const step of list) await this.#step(step);
  }

  async cleanup(): Promise<void> {
    this.#onAnswer = ignored;
    for (const step of this.#scenario.cleanup ?? []) {
      // A variable that was never set: then there is nothing to undo.
      await this.#step(step).catch(() => {});
    }
    for (const backend of this.#backends.values()) await backend.stop();
    this.#scripts.remove();
  }

  async #step(written: Step): Promise<void> {
    if (written.repeat) return this.#repeat(written.repeat);
    this.#count++;
    // What is inside a blocking query is filled in when its turn comes.
    const { blocking, ...rest } = written;
    const step = filled(rest, this.#variables);
    const id = step.id ?? `s${this.#count}`;
    if (blocking) return this.#blocking(id, step, blocking);
    if (step.sleep !== undefined) return sleep(step.sleep);
    if (step.http) return this.#http(id, step, step.http);
    if (step.dns) return this.#dns(id, step, step.dns);
    if (step.dnsCollect) return this.#dnsCollect(id, step, step.dnsCollect);
    if (step.waitUntil) return this.#waitUntil(id, step, step.waitUntil);
    if (step.serve) return this.#serve(step.serve);
    if (step.serveSet) return this.#serveSet(step.serveSet);
    if (step.serveStop) return this.#backend(step.serveStop.name).stop();
    if (step.serveStart) return this.#backend(step.serveStart.name).start();
    if (step.serveLog) return this.#serveLog(id, step, step.serveLog);
    if (step.script) return this.#script(step.script);
    if (step.relate) this.#relate(id, step, step.relate);
  }

  #answer(id: string, step: Step, answer: JsonObject): void {
    if (step.record !== false) this.#onAnswer(id, answer, requestOf(step));
  }

  #capture(step: Step, raw: unknown): void {
    for (const [name, path] of Object.entries(step.capture ?? {})) {
      this.#variables.set(name, valueAt(raw, path) ?? '');
    }
  }

  async #http(id: string, step: Step, spec: NonNullable<Step['http']>): Promise<void> {
    const raw = await startRequest(this.#target.http, spec).answer;
    this.#capture(step, raw);
    this.#answer(id, step, comparableHttp(raw, step, this.#self));
  }

  async #dns(id: string, step: Step, spec: NonNullable<Step['dns']>): Promise<void> {
    const raw = await askDns(this.#target.dns, spec);
    this.#capture(step, raw);
    this.#answer(id, step, comparableDns(raw, step, this.#self));
  }

  /** Everything that many replies had between them, for what is different every time. */
  async #dnsCollect(id: string, step: Step, spec: NonNullable<Step['dnsCollect']>): Promise<void> {
    const seen = new Set<string>();
    const sizes = new Set<number>();
    for (let i = 0; i < spec.count; i++) {
      const raw = await askDns(this.#target.dns, spec);
      const answers = 'error' in raw ? [] : (raw.message.answers ?? []);
      sizes.add(answers.length);
      const wanted = spec.pick === 'first' ? answers.slice(0, 1) : answers;
      const texts = 'error' in raw ? [raw.error] : recordTexts(wanted, { mask: step.mask }, this.#self);
      for (const text of texts) seen.add(text);
    }
    this.#answer(id, step, { seen: [...seen].sort(), answerCounts: [...sizes].sort() });
  }

  async #waitUntil(id: string, step: Step, wait: NonNullable<Step['waitUntil']>): Promise<void> {
    const { http, dns, until, timeoutMs = 5_000, everyMs = 40 } = wait;
    const started = performance.now();
    for (;;) {
      const raw = dns
        ? await askDns(this.#target.dns, dns)
        : await startRequest(this.#target.http, http ?? { path: '/' }).answer;
      const met = holds(until, raw);
      if (met) {
        this.#capture(step, raw);
        const took = step.timing ? { took: bucket(performance.now() - started, step.timing) } : {};
        return this.#answer(id, step, { met, ...took });
      }
      if (performance.now() - started > timeoutMs) {
        this.#answer(id, step, { met, last: 'message' in raw ? raw.message : raw });
        throw new Error(`${id}: what it waits for never came`);
      }
      await sleep(everyMs);
    }
  }

  async #blocking(id: string, step: Step, blocking: NonNullable<Step['blocking']>): Promise<void> {
    const spec = filled(blocking.http, this.#variables);
    const pending = startRequest(this.#target.http, spec, 120_000);
    try {
      const early = (await within(pending.answer, SETTLE_MS)) !== undefined;
      await this.steps(blocking.steps);
      const raw = await within(pending.answer, blocking.withinMs);
      const out: JsonObject = { early, returned: raw !== undefined };
      if (raw) {
        if (step.timing) out.took = bucket(raw.ms, step.timing);
        this.#capture(step, raw);
        // Filled in again: the steps inside may have set variables.
        const comparing = filled({ ...step, timing: undefined }, this.#variables);
        if (blocking.answer !== false) out.answer = comparableHttp(raw, comparing, this.#self);
      }
      this.#answer(id, { ...step, http: spec }, out);
    } finally {
      pending.abort();
    }
  }

  #relate(id: string, step: Step, pairs: NonNullable<Step['relate']>): void {
    const value = (name: string) => String(this.#variables.get(name) ?? '');
    const compare = step.as === 'text' ? compareTexts : compareNumbers;
    this.#answer(
      id,
      step,
      Object.fromEntries(pairs.map(([a, b]) => [`${a} : ${b}`, compare(value(a), value(b))])),
    );
  }

  async #repeat({ as, from, to, steps }: NonNullable<Step['repeat']>): Promise<void> {
    for (let i = from; i <= to; i++) {
      this.#variables.set(as, i);
      await this.steps(steps);
    }
  }

  async #serve(spec: NonNullable<Step['serve']>): Promise<void> {
    const backend = new Backend(spec, '127.0.0.1');
    this.#backends.set(spec.name, backend);
    await backend.start();
    this.#variables.set(spec.name, backend.address);
    this.#variables.set(`${spec.name}.port`, backend.port);
    this.#self.replacements.push([backend.address, `<${spec.name}>`]);
  }

  #serveSet({ name, clearLog, ...change }: NonNullable<Step['serveSet']>): void {
    const backend = this.#backend(name);
    if (clearLog) backend.log.length = 0;
    backend.says(change);
  }

  async #serveLog(id: string, step: Step, spec: NonNullable<Step['serveLog']>): Promise<void> {
    const { name, atLeast = 1, fields = [], count, range } = spec;
    const { log } = this.#backend(name);
    const deadline = performance.now() + 4_000;
    while (log.length < atLeast && performance.now() < deadline) await sleep(20);
    const last = log.at(-1);
    const seen = log.length;
    const out: JsonObject = { arrived: seen >= atLeast };
    const [low = seen, high = seen] = range ?? [];
    if (count) out.requests = range && seen >= low && seen <= high ? `${low}..${high}` : seen;
    for (const field of fields) {
      const value = valueAt(last, field) ?? null;
      out[field] = typeof value === 'string' ? this.#replaced(value) : value;
    }
    this.#answer(id, step, out);
  }

  #script(spec: NonNullable<Step['script']>): void {
    const path = this.#scripts.write(spec);
    if (!this.#variables.has(spec.name)) this.#self.replacements.push([path, `<${spec.name}>`]);
    this.#variables.set(spec.name, path);
  }

  #backend(name: string): Backend {
    const backend = this.#backends.get(name);
    if (!backend) throw new Error(`nothing serves as ${name}`);
    return backend;
  }

  #replaced(text: string): string {
    return this.#self.replacements.reduce((done, [from, to]) => done.replaceAll(from, to), text);
  }
}

/** The request behind a step, for messages. */
function requestOf(step: Step): string {
  const dns = step.dns ?? step.dnsCollect ?? step.waitUntil?.dns;
  if (dns) return `${dns.transport ?? 'udp'} ${dns.type} ${dns.name}`;
  const http = step.http ?? step.waitUntil?.http;
  return http ? `${http.method ?? 'GET'} ${http.path}` : '';
}

function compareTexts(a: string, b: string): string {
  if (a === '' || b === '') return 'missing';
  return a === b ? 'equal' : 'different';
}

function compareNumbers(a: string, b: string): string {
  if (a === '' || b === '') return 'missing';
  if (![a, b].every((text) => /^-?\d+$/.test(text))) return 'not numbers';
  const [x, y] = [BigInt(a), BigInt(b)];
  if (x === y) return 'equal';
  return x > y ? 'greater' : 'less';
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What the promise comes to, or undefined if that takes longer than `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
