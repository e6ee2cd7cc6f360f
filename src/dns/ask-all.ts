import type { NameserversConfig } from '../config/runtime/resolvers.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { exchangeTcp } from './exchange.ts';
import { type Followed, followAnswer } from './follow.ts';
import type { NameserverCounters } from './nameserver-counters.ts';
import { type Asking, askNameserver, type Outcome } from './transaction.ts';

/** What all nameservers together say about one name. */
export type Verdict =
  | Exclude<Followed, { kind: 'broken' }>
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'failed'; readonly error: VaneError };

/** Who asks. */
export interface Asker {
  readonly config: ClientConfig;
  readonly clock: Clock;
  /** @param nameserver its name */
  readonly count: (nameserver: string, what: keyof NameserverCounters) => void;
  /** Sends a query over TCP. */
  readonly overTcp: typeof exchangeTcp;
}

/** The part of a section that says who is asked, and how. */
export type ClientConfig = Pick<
  NameserversConfig,
  'id' | 'nameservers' | 'resolveRetries' | 'timeoutRetry' | 'acceptedPayloadSize'
>;

/** Tries whose sockets stay open for late answers; those before them are given up, or silence would pile sockets up. */
export const MAX_OPEN_TRIES = 3;

type Heard = Exclude<Verdict, { kind: 'failed' }> | Extract<Outcome, { kind: 'error' }>;

/**
 * Asks every nameserver of a section in parallel, up to `resolve_retries` times, `timeout retry` apart (HAProxy
 * manual, section 5.3). Records win at once. An empty answer or NXDOMAIN from a fast nameserver waits for
 * the others until the try is over, for they may know better: empty beats NXDOMAIN, both beat errors. Nameservers that
 * are slower than `timeout retry` still count as long as the query lasts. `done` is called once, unless the
 * returned function, which ends everything, is called before.
 *
 * @param visited names already passed on the way to this one
 */
export function askAll(
  { config, clock, count, overTcp }: Asker,
  asking: Asking,
  visited: ReadonlySet<string>,
  done: (verdict: Verdict, visited: ReadonlySet<string>) => void,
): Cancel {
  /** By what ends it: the try that it is part of. */
  const running = new Map<Cancel, { readonly attempt: number; readonly nameserver: string }>();
  const heard = new Map<string, Heard>();
  let cancelTimer: Cancel = () => {};
  let tries = 0;
  let finished = false;

  const end = () => {
    finished = true;
    cancelTimer();
    for (const cancel of running.keys()) cancel();
    running.clear();
  };
  const finish = (verdict: Verdict, passed: ReadonlySet<string> = visited) => {
    end();
    done(verdict, passed);
  };
  const best = () =>
    [...heard.values()].reduce<Heard | undefined>((a, b) => (a && rank(a) >= rank(b) ? a : b), undefined);
  const fail = () => finish({ kind: 'failed', error: failure(config, asking, heard) });

  const hear = (nameserver: string, outcome: Outcome) => {
    const passed = new Set(visited);
    const news = interpret(outcome, asking, passed);
    if (outcome.kind === 'records' && news.kind === 'error') count(nameserver, 'cnameError');
    if (news.kind === 'records' && news.records.length === 0) count(nameserver, 'anyErr');
    if (rank(news) === RANK_RECORDS && news.kind !== 'error') {
      count(nameserver, 'update');
      return finish(news, passed);
    }
    const before = heard.get(nameserver);
    if (!before || rank(news) >= rank(before)) heard.set(nameserver, news);
    const said = best();
    const allDefinite = heard.size === config.nameservers.length && [...heard.values()].every(isDefinite);
    if (said && isDefinite(said) && (running.size === 0 || allDefinite)) finish(said);
    else if (running.size === 0 && tries >= config.resolveRetries) fail();
  };

  const send = () => {
    tries += 1;
    for (const [cancel, { attempt }] of running) {
      if (attempt > tries - MAX_OPEN_TRIES) continue;
      running.delete(cancel);
      cancel();
    }
    cancelTimer = clock.after(config.timeoutRetry, () => {
      for (const { attempt, nameserver } of running.values()) {
        if (attempt === tries) count(nameserver, 'timeout');
      }
      const said = best();
      if (said && isDefinite(said)) finish(said);
      else if (tries < config.resolveRetries) send();
      else fail();
    });
    for (const nameserver of config.nameservers) {
      if (finished) return;
      const { name } = nameserver;
      const attempt = tries;
      const heard = (outcome: Outcome) => {
        running.delete(cancel);
        if (attempt < tries) count(name, 'outdated');
        if (!finished) hear(name, outcome);
      };
      const cancel = askNameserver(nameserver, asking, heard, (what) => count(name, what), overTcp);
      running.set(cancel, { attempt, nameserver: name });
    }
  };

  send();
  return end;
}

const RANK_RECORDS = 3;

function rank(heard: Heard): number {
  switch (heard.kind) {
    case 'records':
      return heard.records.length > 0 ? RANK_RECORDS : 2;
    case 'alias':
      return RANK_RECORDS;
    case 'nxdomain':
      return 1;
    case 'error':
      return 0;
  }
}

function isDefinite(heard: Heard): heard is Exclude<Heard, { kind: 'error' }> {
  return heard.kind !== 'error';
}

function interpret(outcome: Outcome, asking: Asking, visited: Set<string>): Heard {
  if (outcome.kind !== 'records') return outcome;
  const { answers, additionals, negative } = outcome;
  const followed = followAnswer(asking.name, asking.type, answers, additionals, visited);
  if (followed.kind === 'broken') return { kind: 'error', code: 'RESOLVE_FAILED', why: followed.why };
  // With an SOA the nameserver has followed the CNAMEs itself and found nothing (RFC 2308 section 2.2).
  if (followed.kind === 'alias' && negative) return { kind: 'records', records: [], additionals: [] };
  return followed;
}

/** Silence everywhere is a timeout, nothing but refusals is a refusal, all else is a failure. */
function failure(config: ClientConfig, asking: Asking, heard: ReadonlyMap<string, Heard>): VaneError {
  const errors = [...heard.values()].filter((one) => one.kind === 'error');
  const waited = config.resolveRetries * config.timeoutRetry;
  const said = config.nameservers.map(({ name }) => {
    const one = heard.get(name);
    return `${name}: ${one?.kind === 'error' ? one.why : `no answer within ${waited} ms`}`;
  });
  const code =
    errors.length === 0
      ? 'RESOLVE_TIMEOUT'
      : errors.every((one) => one.code === 'RESOLVE_REFUSED')
        ? 'RESOLVE_REFUSED'
        : 'RESOLVE_FAILED';
  return new VaneError(code, `${asking.type} ${asking.name}: ${said.join('; ') || 'no nameservers'}`);
}
