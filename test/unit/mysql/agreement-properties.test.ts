import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Agreed, nextAgreed } from '../../../src/mysql/agreement/agreed.ts';
import { nextState } from '../../../src/mysql/failover/next-state.ts';
import type { ProbeOutcome } from '../../../src/mysql/failover/server-facts.ts';
import {
  type FailoverPolicy,
  type Lead,
  masterOf,
  newVipState,
  type Observation,
  type VipState,
} from '../../../src/mysql/failover/vip-state.ts';
import { bad, good, POLICY } from './failover-rig.ts';

const SERVERS = [
  { id: 'db1', role: 'master' as const },
  { id: 'db2', role: 'slave' as const },
  { id: 'db3', role: 'slave' as const },
];
const NAMES = ['lb-1', 'lb-2', 'lb-3'];
const policy: FailoverPolicy = {
  ...POLICY,
  failback: { policy: 'after-stable', stable: 2_000, maxStable: 10_000, maxPerHour: 100 },
};

type Judge = (before: VipState, after: VipState, now: number) => void;

/** Proxies that share a registry, which each of them reaches or not, as it does each of the servers. */
class World {
  now = 0;
  readonly dead = new Set<string>();
  readonly proxies = NAMES.map((name) => new Vane(name, this));
  /** In the registry. */
  holder: string | undefined;
  index = 0;
  agreed: Agreed | undefined;
  /** All that was ever agreed on. */
  readonly targets = new Map<number, string>();
  heldAt = 0;
  readonly judge: Judge;

  constructor(judge: Judge = () => {}) {
    this.judge = judge;
  }

  probe(server: string): ProbeOutcome {
    if (this.dead.has(server)) return bad();
    if (server === 'db1') return good();
    return this.dead.has('db1') ? good({ io: 'connecting', lag: null }) : good({ io: 'yes' });
  }

  /** As the registry takes it: only by who has seen what stands there. */
  write(seen: number, next: Agreed): void {
    if (seen !== this.index) return;
    expect(this.targets.get(next.epoch) ?? next.target).toBe(next.target);
    this.targets.set(next.epoch, next.target);
    this.agreed = next;
    this.index++;
  }

  /** A second in which everybody does what he can. */
  second(): void {
    this.now += 1_000;
    if (this.proxies.some((one) => one.name === this.holder && !one.isCut)) this.heldAt = this.now;
    if (this.now - this.heldAt > 15_000) this.holder = undefined;
    for (const proxy of this.proxies) proxy.round();
  }
}

class Vane {
  readonly name: string;
  readonly #world: World;
  readonly unreached = new Set<string>();
  isCut = false;
  state: VipState = newVipState(SERVERS, 0);
  #reachedAt = 0;
  #seen: { index: number; agreed: Agreed | undefined; holder: string | undefined } = {
    ...{ index: 0, agreed: undefined, holder: undefined },
  };

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
  }

  round(): void {
    const world = this.#world;
    if (!this.isCut) this.#reachedAt = world.now;
    this.hear();
    const isAble = this.state.phase !== 'INIT' && this.state.phase !== 'NONE';
    if (!this.isCut && world.holder === undefined && isAble) {
      world.holder = this.name;
      world.heldAt = world.now;
    }
    if (!this.isCut && world.holder === this.name && !isAble) world.holder = undefined;
    this.hear();
    for (const { id } of SERVERS) this.probe(id);
  }

  probe(server: string): void {
    const outcome = this.unreached.has(server) ? bad('timeout') : this.#world.probe(server);
    this.#see({ kind: 'probe', server, outcome, heardAt: undefined });
    this.#see({ kind: 'released', since: this.state.since });
  }

  /** Hears what stands in the registry, and as the one that decides writes there. */
  hear(): void {
    const { holder, index, agreed, now } = this.#world;
    if (!this.isCut) this.#seen = { index, agreed, holder };
    const isLate = now - this.#reachedAt >= 10_000;
    const lead = this.#seen.holder === undefined || isLate ? 'nobody' : this.#leadOf(this.#seen.holder);
    if (lead !== this.state.lead) this.#see({ kind: 'lead', lead });
    const { agreed: told } = this.#seen;
    if (told && told.epoch !== this.state.agreed?.epoch) this.#see({ kind: 'agreed', agreed: told });
    if (lead === 'self') this.write();
  }

  /** Late, perhaps: by then somebody else may have written. */
  write(): void {
    const { state, name } = this;
    const { epoch, target, standing } = state;
    const opinion = { epoch, target, away: standing.away, master: masterOf(state).id, promotedAt: 0 };
    const own = { ...opinion, demoted: undefined };
    const next = nextAgreed(this.#seen.agreed, own, { servers: 's', by: name });
    if (next && !this.isCut) this.#world.write(this.#seen.index, next);
  }

  #leadOf(holder: string): Lead {
    return holder === this.name ? 'self' : 'other';
  }

  #see(observation: Observation): void {
    const { now, judge } = this.#world;
    const before = this.state;
    this.state = nextState(before, observation, now, policy).state;
    judge(before, this.state, now);
  }
}

type Happening = (world: World) => void;

const proxy = fc.nat(NAMES.length - 1);
const server = fc.constantFrom(...SERVERS.map(({ id }) => id));
const toggle = <T>(set: Set<T>, one: T) => {
  if (!set.delete(one)) set.add(one);
};
const at = (world: World, i: number) => world.proxies[i] as Vane;

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Happening>((world) => world.second()) },
  {
    weight: 1,
    arbitrary: server.map(
      (id): Happening =>
        (world) =>
          toggle(world.dead, id),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(proxy, server).map(
      ([i, id]): Happening =>
        (world) =>
          toggle(at(world, i).unreached, id),
    ),
  },
  {
    weight: 1,
    arbitrary: proxy.map(
      (i): Happening =>
        (world) => {
          at(world, i).isCut = !at(world, i).isCut;
        },
    ),
  },
  // One hears, probes or writes before the others do.
  {
    weight: 1,
    arbitrary: fc.tuple(proxy, server).map(
      ([i, id]): Happening =>
        (w) =>
          at(w, i).probe(id),
    ),
  },
  {
    weight: 1,
    arbitrary: proxy.map(
      (i): Happening =>
        (world) =>
          at(world, i).hear(),
    ),
  },
  {
    weight: 1,
    arbitrary: proxy.map(
      (i): Happening =>
        (world) =>
          at(world, i).write(),
    ),
  },
  // Its session is over, which it does not know yet.
  {
    weight: 1,
    arbitrary: fc.constant<Happening>((world) => {
      world.holder = undefined;
    }),
  },
);
const happenings = fc.array(fc.tuple(happening, fc.integer({ min: 1, max: 5 })), {
  minLength: 10,
  maxLength: 60,
  size: 'max',
});

test('no epoch has two targets, whoever takes himself for the one that decides', () => {
  let epochs = 0;
  fc.assert(
    fc.property(happenings, (all) => {
      const world = new World();
      for (const [happen, times] of all) {
        for (let i = 0; i < times; i++) {
          happen(world);
          for (const { state } of world.proxies) {
            const { agreed } = state;
            if (agreed) expect(world.targets.get(agreed.epoch)).toBe(agreed.target);
          }
        }
      }
      epochs = Math.max(epochs, world.targets.size);
    }),
    { numRuns: 100 },
  );
  expect(epochs).toBeGreaterThan(3);
});

test('all lead to the same server, in the same epoch, some time after all is well', () => {
  fc.assert(
    fc.property(happenings, (all) => {
      const world = new World();
      for (const [happen, times] of all) for (let i = 0; i < times; i++) happen(world);
      world.dead.clear();
      for (const one of world.proxies) {
        one.isCut = false;
        one.unreached.clear();
      }
      for (let i = 0; i < 60; i++) world.second();
      const { epoch, target } = world.agreed ?? {};
      for (const { state } of world.proxies) expect(state).toMatchObject({ target, epoch });
      expect(target).toBe('db1');
    }),
    { numRuns: 100 },
  );
});

test('one that does not decide leaves no server that works, and one that is down only after a while', () => {
  let left = 0;
  const judge = (before: VipState, after: VipState, now: number) => {
    const [{ target, agreed }, { agreed: told }] = [before, after];
    if (after.lead !== 'other' || before.lead !== 'other' || agreed?.epoch !== told?.epoch) return;
    if (target === undefined || target !== agreed?.target || after.target === target) return;
    left++;
    expect(after.servers.find(({ id }) => id === target)?.up).toBe(false);
    expect(now - (before.awaitsSince ?? now)).toBeGreaterThanOrEqual(2_000);
  };
  fc.assert(
    fc.property(happenings, (all) => {
      const world = new World(judge);
      for (const [happen, times] of all) for (let i = 0; i < times; i++) happen(world);
    }),
    { numRuns: 100 },
  );
  expect(left).toBeGreaterThan(0);
});
