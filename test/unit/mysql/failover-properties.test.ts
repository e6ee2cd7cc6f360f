import fc from 'fast-check';
import { expect, test } from 'vitest';
import { includes } from '../../../src/mysql/failover/gtid.ts';
import { failbackBlock, isReplacement } from '../../../src/mysql/failover/judgement.ts';
import { nextState } from '../../../src/mysql/failover/next-state.ts';
import { FAILURE_CLASSES, isWritable, type ProbeOutcome } from '../../../src/mysql/failover/server-facts.ts';
import {
  type FailoverPolicy,
  masterOf,
  newVipState,
  type Observation,
  serverOf,
  type VipState,
} from '../../../src/mysql/failover/vip-state.ts';
import { bad, good, POLICY } from './failover-rig.ts';

/** One step: how much time passes, and what is seen then. */
type Step = { readonly after: number; readonly see: Observation | 'released' };

const SERVERS = [
  { id: 'db1', role: 'master' as const },
  { id: 'db2', role: 'slave' as const },
  { id: 'db3', role: 'slave' as const },
];

const outcome = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...FAILURE_CLASSES).map((kind) => bad(kind)) },
  {
    weight: 5,
    arbitrary: fc
      .record({
        readOnly: fc.boolean(),
        io: fc.constantFrom('yes' as const, 'connecting' as const, 'no' as const),
        sql: fc.boolean(),
        lag: fc.constantFrom(0, 5_000, 100_000, null),
        gtid: fc.constantFrom('', '0-1-10', '0-1-11', '0-1-10,0-2-11'),
      })
      .map((said): ProbeOutcome => good(said)),
  },
  // Common, so that there is a way through all states.
  {
    weight: 5,
    arbitrary: fc.constantFrom(good(), good({ io: 'yes' }), good({ io: 'connecting', lag: null }), bad()),
  },
);

const step: fc.Arbitrary<Step> = fc.record({
  after: fc.constantFrom(0, 1, 200, 1_000, 6_000, 70_000),
  see: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('probe' as const),
        server: fc.constantFrom('db1', 'db1', 'db2', 'db3'),
        outcome,
        heardAt: fc.constant(undefined),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'tick' as const }) },
    { weight: 2, arbitrary: fc.constant('released' as const) },
  ),
});

const policies: fc.Arbitrary<FailoverPolicy> = fc
  .record({
    policy: fc.constantFrom('automatic' as const, 'after-stable' as const, 'manual' as const),
    maxStale: fc.constantFrom(10_000, 3_600_000),
  })
  .map(({ policy, maxStale }) => ({
    ...POLICY,
    maxStale,
    failback: { policy, stable: 5_000, maxStable: 60_000, maxPerHour: 6 },
  }));

/** Runs the steps and has each change judged. */
function run(
  steps: readonly Step[],
  policy: FailoverPolicy,
  judge: (before: VipState, after: VipState, now: number) => void,
): VipState {
  let state = newVipState(SERVERS, 0);
  let now = 0;
  for (const { after, see } of steps) {
    now += after;
    const observation: Observation = see === 'released' ? { kind: 'released', epoch: state.epoch } : see;
    const { state: next } = nextState(state, observation, now, policy);
    judge(state, next, now);
    state = next;
  }
  return state;
}

/** What a server shows it shows for a while, or little would ever happen. */
const steps = fc
  .array(fc.tuple(step, fc.integer({ min: 1, max: 4 })), { minLength: 20, maxLength: 60, size: 'max' })
  .map((all) => all.flatMap(([one, times]) => Array.from({ length: times }, () => one)));
const RUNS = { numRuns: 500 };

test('an epoch has one target, and between two targets there is none', () => {
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      const targets = new Map<number, string>();
      run(all, policy, (before, { epoch, target }) => {
        expect(epoch).toBeGreaterThanOrEqual(before.epoch);
        if (target === undefined) return;
        expect(targets.get(epoch) ?? target).toBe(target);
        targets.set(epoch, target);
        if (before.target !== undefined) expect(target).toBe(before.target);
      });
    }),
    RUNS,
  );
});

test('no target is left without evidence', () => {
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      run(all, policy, (before, after, now) => {
        if (before.target === undefined || after.target !== undefined) return;
        const left = serverOf(after, before.target);
        if (left?.up === false) return;
        // A slave that works is left for one reason only.
        expect(['DEGRADED', 'RECOVERING']).toContain(before.phase);
        expect(after.next).toBe('db1');
        expect(failbackBlock({ ...after, target: before.target }, now, policy)).toBeUndefined();
      });
    }),
    RUNS,
  );
});

test('nobody becomes the target who must not: a slave that takes writes or is stale, a master that fails', () => {
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      run(all, policy, (before, after, now) => {
        if (after.target === undefined || after.target === before.target) return;
        const target = serverOf(after, after.target);
        expect(target?.up).toBe(true);
        expect(target?.failures).toBe(0);
        if (target?.role === 'slave') expect(isReplacement(after, target, now, policy)).toBe(true);
      });
    }),
    RUNS,
  );
});

test('clients are never led from one server that takes writes to another that does', () => {
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      let last: string | undefined;
      run(all, policy, (before, after) => {
        if (after.target === undefined || after.target === before.target) return;
        const [from, to] = [serverOf(after, last), serverOf(after, after.target)];
        last = after.target;
        if (from && to && from.id !== to.id && isWritable(to)) expect(isWritable(from)).toBe(false);
      });
    }),
    RUNS,
  );
});

test('a master that lacks what a slave has executed in its place is not gone back to', () => {
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      run(all, policy, (before, after) => {
        const stoodIn = serverOf(after, before.owner);
        if (after.target !== 'db1' || before.target === 'db1' || stoodIn?.role !== 'slave') return;
        const { readAt = 0, reading } = masterOf(after);
        const isComparable = readAt >= (stoodIn.readAt ?? 0);
        if (isComparable) expect(includes(reading?.gtid, stoodIn.reading?.gtid)).not.toBe(false);
        else expect(before.parted).toBeUndefined();
      });
    }),
    RUNS,
  );
});

test('a server that answers, whatever it answers, is not left', () => {
  const answers = fc.array(
    fc.constantFrom(...(['overloaded', 'blocked', 'misconfigured'] as const)).map((kind) => bad(kind)),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(answers, policies, (all, policy) => {
      const begin: Step = {
        after: 1,
        see: { kind: 'probe', server: 'db1', outcome: good(), heardAt: undefined },
      };
      const rest = all.map(
        (one): Step => ({
          after: 1_000,
          see: { kind: 'probe', server: 'db1', outcome: one, heardAt: undefined },
        }),
      );
      const state = run([begin, ...rest], policy, () => {});
      expect(state.target).toBe('db1');
      expect(masterOf(state).up).toBe(true);
    }),
  );
});

test('the steps lead through every phase', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(steps, policies, (all, policy) => {
      run(all, policy, (_, { phase }) => seen.add(phase));
    }),
    RUNS,
  );
  expect([...seen].sort()).toEqual([
    'DEGRADED',
    'INIT',
    'MASTER',
    'NONE',
    'RECOVERING',
    'SUSPECT',
    'SWITCHING',
  ]);
});
