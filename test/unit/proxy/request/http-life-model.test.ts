import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eligible } from '../../../../src/balance/algorithms.ts';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import type { ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { Attempt, AttemptOutcome } from '../../../../src/proxy/lanes/lane.ts';
import { mayRepeat } from '../../../../src/proxy/request/retry.ts';
import { settle } from '../../../helpers/fake-clock.ts';
import { requestHead, serverSnapshot } from '../fixtures.ts';
import { LifeScene, type Running } from './life-scene.ts';
import { breaksOff, fails, type Play, refuses, succeeds } from './scripted-exchange.ts';

const NAMES = ['a', 'b', 'c'];

const servers: fc.Arbitrary<readonly ServerSnapshot[]> = fc
  .subarray(NAMES)
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc
          .record({ maxconn: fc.nat({ max: 1 }), admission: fc.constantFrom('open', 'open', 'draining') })
          .map((facts) => serverSnapshot(name, facts)),
      ),
    ),
  );

/** What an attempt meets: how it ends, and what happens to servers and client while it is under way. */
interface Meeting {
  readonly play: Play;
  readonly servers: readonly ServerSnapshot[] | undefined;
  readonly abort: ErrorCode | undefined;
  readonly takes: number;
}

const code = fc.constantFrom<ErrorCode>(
  'UPSTREAM_CLOSED',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_PROTOCOL',
  'SERVER_REMOVED',
  'STOPPING',
  'INTERNAL',
);
const loose: fc.Arbitrary<Partial<AttemptOutcome>> = fc.record({
  phase: fc.constantFrom('request', 'headers', 'data'),
  nothingSent: fc.boolean(),
  replayable: fc.boolean(),
  reused: fc.boolean(),
  bytesFromServer: fc.constantFrom(0, 0, 7),
});
const boom: Play = () => {
  throw new Error('a lane that breaks its word');
};
const play: fc.Arbitrary<Play> = fc.oneof(
  fc
    .constantFrom<ErrorCode>('CONNECT_REFUSED', 'CONNECT_TIMEOUT', 'CONNECT_FAILED')
    .map((one) => refuses(one)),
  { weight: 2, arbitrary: fc.tuple(code, loose).map(([one, changes]) => fails(one, changes)) },
  code.map((one) => breaksOff(one)),
  fc.constant(succeeds()),
  fc.constant(boom),
);
const meeting: fc.Arbitrary<Meeting> = fc.record({
  play,
  servers: fc.option(servers, { nil: undefined, freq: 3 }),
  abort: fc.option(fc.constantFrom<ErrorCode>('CLIENT_ABORTED', 'CLIENT_TIMEOUT'), {
    nil: undefined,
    freq: 8,
  }),
  takes: fc.constantFrom(0, 0, 10, 3_000),
});

const request = fc.record({
  meetings: fc.array(meeting, { maxLength: 8 }),
  method: fc.constantFrom('GET', 'POST'),
  /** Leaves this long after it has come; undefined: stays. */
  leaves: fc.option(fc.nat({ max: 8_000 }), { nil: undefined, freq: 4 }),
});

interface World {
  servers: readonly ServerSnapshot[];
  readonly redispatch: boolean;
}

/** One request under way, watched from the lane's side. */
class Watched {
  readonly plays: readonly Play[];
  running: Running | undefined;
  readonly tried: string[] = [];
  /** What must not have happened. Not thrown: the request life would take it for a fault of its lane. */
  readonly wrong: string[] = [];
  readonly #method: string;
  readonly #world: World;
  #last: AttemptOutcome | undefined;

  constructor(scene: LifeScene, meetings: readonly Meeting[], method: string, world: World) {
    this.#method = method;
    this.#world = world;
    this.plays = meetings.map((meeting) => (attempt) => {
      this.#meet(attempt.server.id, attempt.fresh);
      // A lane can break its word only at once.
      return meeting.takes > 0 && meeting.play !== boom
        ? this.#later(scene, attempt, meeting)
        : this.#now(scene, attempt, meeting);
    });
  }

  async #later(scene: LifeScene, attempt: Attempt, meeting: Meeting): Promise<AttemptOutcome> {
    const { promise, resolve } = Promise.withResolvers<VaneError | undefined>();
    const cancel = scene.clock.after(meeting.takes, () => resolve(undefined));
    attempt.cancel = resolve;
    const error = await promise;
    cancel();
    attempt.cancel = undefined;
    if (error) return this.#note(await fails(error.code)(attempt));
    return await this.#now(scene, attempt, meeting);
  }

  #now(scene: LifeScene, attempt: Attempt, { play, servers, abort }: Meeting) {
    if (servers) {
      this.#world.servers = servers;
      scene.backend.setServers(servers);
    }
    const exchange = this.running?.exchange;
    if (abort && !exchange?.aborted) exchange?.abort(abort);
    const outcome = play(attempt);
    return outcome instanceof Promise ? outcome.then((late) => this.#note(late)) : this.#note(outcome);
  }

  #meet(id: string, fresh: boolean): void {
    if (fresh) {
      if (this.tried.at(-1) !== id) this.wrong.push(`a fresh connection to ${id}`);
      return;
    }
    const head = { method: this.#method, bodyless: this.#method === 'GET' };
    if (this.#last && !mayRepeat(head, this.#last))
      this.wrong.push(`repeated after ${this.#last.error?.code}`);
    if (this.#world.redispatch && this.tried.includes(id)) {
      const open = eligible(this.#world.servers).map((server) => server.id);
      const others = open.filter((other) => !this.tried.includes(other));
      if (others.length > 0) this.wrong.push(`${id} again, though ${others} had not been tried`);
    }
    this.tried.push(id);
  }

  #note(outcome: AttemptOutcome): AttemptOutcome {
    this.#last = outcome;
    return outcome;
  }
}

test('whatever attempts meet, each request ends exactly once, gives back what it took and is told of', async () => {
  await fc.assert(
    fc.asyncProperty(
      servers,
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.nat({ max: 3 }),
      fc.boolean(),
      async (first, requests, retries, redispatch) => {
        const scene = new LifeScene({ servers: first, backend: { retries, redispatch, maxqueue: 2 } });
        const world = { servers: first, redispatch };
        const watched: Watched[] = [];
        for (const made of requests) {
          const { method, leaves } = made;
          const one = new Watched(scene, made.meetings, method, world);
          watched.push(one);
          const head = requestHead(method, '/', [], { bodyless: method === 'GET' });
          one.running = await scene.begin(one.plays, head, (exchange) => {
            one.running = { exchange, over: false };
          });
          const { running } = one;
          if (leaves !== undefined) {
            scene.clock.after(leaves, () => {
              const gone = running.over || running.exchange.aborted;
              if (!gone) running.exchange.abort();
            });
          }
        }
        await scene.clock.advanceAsync(120_000);
        await settle();

        for (const { running, tried, wrong } of watched) {
          expect(wrong).toEqual([]);
          expect(running?.over).toBe(true);
          expect(running?.exchange.ends).toHaveLength(1);
          expect(running?.exchange.onAborted).toBeUndefined();
          expect(tried.length).toBeLessThanOrEqual(retries + 1);
        }
        expect(scene.backend.active).toBe(0);
        expect(scene.backend.queued).toBe(0);
        expect(scene.counters.scur).toBe(0);
        expect(scene.clock.pending).toBe(0);

        const count = requests.length;
        expect(scene.entries).toHaveLength(count);
        expect(scene.frontend.tally.reqTot).toBe(count);
        expect(scene.counters).toMatchObject({ stot: count, duration: { count } });
        const { hrsp2xx, hrsp4xx, hrsp5xx, hrspOther, reqTot, lbtot, wretr, wredis } = scene.counters;
        const statuses = scene.entries.flatMap((entry) => (entry.mode === 'http' ? [entry.status] : []));
        const answered = statuses.filter((status) => status !== -1);
        expect(hrsp2xx + hrsp4xx + hrsp5xx).toBe(answered.length);
        expect(hrspOther).toBe(0);
        expect(reqTot).toBe(answered.length);
        const logged = scene.entries.reduce((sum, entry) => sum + entry.retries, 0);
        expect(wretr + wredis).toBe(logged);
        expect(lbtot).toBeLessThanOrEqual(logged + count);
        for (const entry of scene.entries) {
          expect(entry.termination === '--').toBe(entry.error === undefined);
        }
      },
    ),
    { numRuns: 200 },
  );
}, 120_000);
