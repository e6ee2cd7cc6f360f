import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eligible } from '../../../../src/balance/algorithms.ts';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import { VaneError } from '../../../../src/core/errors.ts';
import type { Lease } from '../../../../src/proxy/plane/lease.ts';
import { LiveBackend } from '../../../../src/proxy/plane/live-backend.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const IDS = ['a', 'b', 'c'].map((name) => serverSnapshot(name).id);

const server: fc.Arbitrary<ServerSnapshot> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    maxconn: fc.nat({ max: 2 }),
    weight: fc.nat({ max: 2 }),
    backup: fc.boolean(),
    admission: fc.constantFrom('open', 'open', 'draining'),
  })
  .map(({ name, ...rest }) => serverSnapshot(name, rest));

type Step =
  | { readonly kind: 'servers'; readonly servers: readonly ServerSnapshot[]; readonly whole: boolean }
  | { readonly kind: 'acquire'; readonly tried: readonly string[]; readonly stay: string | undefined }
  | { readonly kind: 'done'; readonly pick: number }
  | { readonly kind: 'leave'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number };

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.uniqueArray(server, { selector: ({ id }) => id, maxLength: 3 }), fc.boolean())
      .map(([servers, whole]): Step => ({ kind: 'servers', servers, whole })),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'acquire', tried: [], stay: undefined }) },
  fc
    .tuple(fc.subarray(IDS), fc.option(fc.constantFrom(...IDS), { nil: undefined }))
    .map(([tried, stay]): Step => ({ kind: 'acquire', tried, stay })),
  { weight: 3, arbitrary: fc.nat().map((pick): Step => ({ kind: 'done', pick })) },
  fc.nat().map((pick): Step => ({ kind: 'leave', pick })),
  fc.nat({ max: 40 }).map((ms): Step => ({ kind: 'pass', ms })),
);

interface Waiter {
  readonly number: number;
  readonly plain: boolean;
  state: 'waiting' | 'served' | 'turned away';
  leave(): void;
}

/** A backend, all that was ever taken of it, and the order in which those who waited were served. */
class Scene {
  readonly clock = new FakeClock();
  readonly idle: string[] = [];
  readonly backend: LiveBackend;
  servers: readonly ServerSnapshot[] = [];
  readonly held = new Set<Lease>();
  readonly waiters: Waiter[] = [];
  readonly served: Waiter[] = [];
  granted = 0;

  constructor() {
    const config = backendConfig({ maxqueue: 4 });
    const timeout = { ...config.timeout, queue: 100 };
    this.backend = new LiveBackend(
      { ...config, timeout },
      {
        clock: this.clock,
        random: () => 0,
        events: {
          idle: ({ id }) => this.idle.push(id),
          trouble: () => {},
          steered: () => {},
          observed: () => {},
          cut: () => {},
          spared: () => {},
        },
      },
    );
  }

  take(lease: Lease): void {
    this.granted++;
    this.held.add(lease);
  }

  apply(step: Step): void {
    switch (step.kind) {
      case 'servers':
        this.idle.length = 0;
        if (step.whole) this.backend.setServers(step.servers);
        else this.backend.changeServers(step.servers, this.#without(step.servers));
        this.servers = step.servers;
        break;
      case 'acquire':
        this.#acquire(step);
        break;
      case 'done': {
        const lease = [...this.held][step.pick % (this.held.size || 1)];
        if (!lease) break;
        this.held.delete(lease);
        const error = lease.cancelled;
        const times = { queuedMs: 0, connectMs: 0, responseMs: 0, totalMs: 0, bytesIn: 0, bytesOut: 0 };
        lease.done({ error, status: error ? undefined : 200, reused: false, next: undefined, ...times });
        break;
      }
      case 'leave': {
        const waiting = this.waiting;
        waiting[step.pick % (waiting.length || 1)]?.leave();
        break;
      }
      case 'pass':
        this.clock.advance(step.ms);
    }
  }

  #without(servers: readonly ServerSnapshot[]): readonly string[] {
    const there = new Set(servers.map(({ id }) => id));
    return this.servers.map(({ id }) => id).filter((id) => !there.has(id));
  }

  get waiting(): readonly Waiter[] {
    return this.waiters.filter(({ state }) => state === 'waiting');
  }

  /** Work under way on a server that is still there. */
  activeOn({ id }: ServerSnapshot): number {
    const { servers } = this.backend.counters();
    return servers.find((row) => row.id === id)?.scur ?? 0;
  }

  #acquire({ tried, stay }: Extract<Step, { kind: 'acquire' }>): void {
    const chosen = eligible(this.servers);
    const room = (one: ServerSnapshot) => one.maxconn === 0 || this.activeOn(one) < one.maxconn;
    try {
      const got = this.backend.acquire({ tried: new Set(tried), stay });
      expect(chosen.length).toBeGreaterThan(0);
      if (!('leave' in got)) {
        this.take(got);
        const others = chosen.filter(({ id }) => !tried.includes(id));
        const stays = this.servers.some(({ id, admission }) => id === stay && admission === 'open');
        if (stays) expect(got.server.id).toBe(stay);
        else if (others.length > 0) expect(tried).not.toContain(got.server.id);
        return;
      }
      if (tried.length === 0 && stay === undefined) expect(chosen.some(room)).toBe(false);
      const waiter: Waiter = {
        number: this.waiters.length,
        plain: tried.length === 0 && stay === undefined,
        state: 'waiting',
        leave: () => {
          waiter.state = 'turned away';
          got.leave(new VaneError('CLIENT_ABORTED', 'x'));
        },
      };
      this.waiters.push(waiter);
      got.lease.then(
        (lease) => {
          waiter.state = 'served';
          this.served.push(waiter);
          this.take(lease);
        },
        () => {
          waiter.state = 'turned away';
        },
      );
    } catch (error) {
      if (!(error instanceof VaneError)) throw error;
      if (error.code === 'NO_SERVER') expect(chosen).toEqual([]);
      else {
        expect(error.code).toBe('QUEUE_FULL');
        expect(this.waiting).toHaveLength(4);
      }
    }
  }
}

test('places are given in order, within every limit, never while somebody could be served who waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const scene = new Scene();
      for (const step of steps) {
        const before = new Map(scene.servers.map((one) => [one.id, scene.activeOn(one)]));
        scene.apply(step);
        await settle();
        for (const one of scene.servers) {
          const active = scene.activeOn(one);
          const grown = active > (before.get(one.id) ?? 0);
          if (grown && one.maxconn > 0) expect(active).toBeLessThanOrEqual(one.maxconn);
          if (grown) expect(one.admission).toBe('open');
        }
        expect(scene.backend.queued).toBe(scene.waiting.length);
        // Whoever may go anywhere waits only while everything is full.
        if (scene.waiting.some(({ plain }) => plain)) {
          for (const one of eligible(scene.servers)) {
            expect(one.maxconn).toBeGreaterThan(0);
            expect(scene.activeOn(one)).toBeGreaterThanOrEqual(one.maxconn);
          }
        }
        // Every draining server without work has been told, and is told once.
        for (const { id, admission } of scene.servers) {
          const told = scene.idle.filter((one) => one === id).length;
          expect(told).toBeLessThanOrEqual(1);
          if (admission === 'open') expect(told).toBe(0);
        }
        // Work on servers that are gone is told to end.
        const present = new Set(scene.servers.map(({ id }) => id));
        for (const lease of scene.held)
          if (!present.has(lease.server.id)) expect(lease.cancelled).toBeDefined();
      }
      const order = scene.served.filter(({ plain }) => plain).map(({ number }) => number);
      expect(order).toEqual([...order].sort((a, b) => a - b));

      // Whatever was taken is given back, and then nothing is left.
      scene.backend.cut(new VaneError('STOPPING', 'over'));
      await settle();
      for (const lease of [...scene.held]) {
        expect(lease.cancelled).toBeDefined();
        scene.held.delete(lease);
        const error = lease.cancelled;
        const times = { queuedMs: 0, connectMs: 0, responseMs: 0, totalMs: 0, bytesIn: 0, bytesOut: 0 };
        lease.done({ error, status: undefined, reused: undefined, next: undefined, ...times });
      }
      expect(scene.backend.active).toBe(0);
      expect(scene.backend.queued).toBe(0);
      expect(scene.backend.counters().lbtot).toBe(scene.granted);
      expect(scene.clock.pending).toBe(0);
    }),
    { numRuns: 200 },
  );
}, 60_000);
