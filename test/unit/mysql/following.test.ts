import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/mysql/failover/vip-state.ts';
import { bad, Failover, good } from './failover-rig.ts';

const LEADS_OTHER: Observation = { kind: 'lead', lead: 'other' };
const LOST = good({ io: 'connecting', lag: null });

const agreed = (epoch: number, target: string, away = false): Observation => ({
  kind: 'agreed',
  agreed: { epoch, target, by: 'lb-2', away },
});

/** One that follows to the master, which both see. */
const following = () => new Failover().see(LEADS_OTHER).see(agreed(1, 'db1')).begin();

/** Its master is down by all that it sees itself. */
const dying = (failover = following()) => failover.probe('db1', bad()).probe('db2', LOST).probe('db1', bad());

describe('one that does not decide', () => {
  test('goes where it is told, in the same epoch, though what it leaves works', () => {
    const failover = following();
    expect(failover.is).toBe('MASTER db1 1');
    expect(failover.see(agreed(2, 'db2')).is).toBe('SWITCHING - 2');
    // The master is well, as this one sees it.
    expect(failover.released().is).toBe('RECOVERING db2 2');
    expect(
      failover
        .see(agreed(3, 'db1'))
        .probe('db2', good({ io: 'yes' }))
        .probe('db1', good()).is,
    ).toBe('SWITCHING - 3');
    expect(failover.released().is).toBe('MASTER db1 3');
    expect(failover.alarms).toEqual([]);
  });

  test('goes nowhere that it does not see to be well, and says that it is elsewhere', () => {
    const failover = following().probe('db2', bad()).probe('db2', bad());
    expect(failover.see(agreed(2, 'db2')).is).toBe('MASTER db1 2');
    expect(failover.alarms).toContain('alone');
    failover.probe('db2', good({ io: 'yes' }));
    expect(failover.probe('db2', good({ io: 'yes' })).is).toBe('SWITCHING - 2');
    expect(failover.alarms).toEqual([]);
  });

  test('leaves what is down only when no word comes, and then without an epoch', () => {
    const failover = dying();
    expect(failover.is).toBe('SUSPECT db1 1');
    failover.now += 1_000;
    expect(failover.tick().is).toBe('SUSPECT db1 1');
    failover.now += 1_000;
    expect(failover.tick().released().is).toBe('DEGRADED db2 1');
    expect(failover.state.agreed).toMatchObject({ epoch: 1, target: 'db1' });
    expect(failover.alarms).toContain('alone');
  });

  test('leaves what is down at once when told, or when nobody decides', () => {
    expect(dying().see(agreed(2, 'db2')).released().is).toBe('DEGRADED db2 2');
    expect(dying().see({ kind: 'lead', lead: 'nobody' }).released().is).toBe('DEGRADED db2 1');
  });

  test('that has gone by itself comes back in the same epoch after a while, in another at once', () => {
    const gone = () => {
      const failover = dying();
      failover.now += 2_000;
      failover
        .tick()
        .released()
        .probe('db2', good({ io: 'yes' }))
        .probe('db1', good());
      return failover.probe('db2', good({ io: 'yes' })).probe('db1', good());
    };
    const failover = gone();
    expect(failover.is).toBe('RECOVERING db2 1');
    expect(failover.pass(50_000).is).toBe('RECOVERING db2 1');
    expect(failover.pass(15_000).released().is).toBe('MASTER db1 1');
    expect(gone().see(agreed(2, 'db1')).released().is).toBe('MASTER db1 2');
  });

  test('leads nobody back by itself, and takes no orders to lead anywhere', () => {
    const failover = following().see(agreed(2, 'db2')).released();
    expect(failover.pass(600_000).is).toBe('RECOVERING db2 2');
    expect(failover.refuses({ do: 'failback', force: true })).toMatch(/does not hold the lock/);
    const other = following();
    expect(other.refuses({ do: 'switchover', to: undefined })).toMatch(/does not hold the lock/);
  });

  test('begins where the others are, and waits to know of that server', () => {
    const failover = new Failover().see(LEADS_OTHER).see(agreed(5, 'db2')).probe('db1', good());
    expect(failover.is).toBe('INIT - 5');
    expect(failover.probe('db2', good({ io: 'yes' })).is).toBe('RECOVERING db2 5');
  });

  test('knows what an operator has said to the one that decides, should it decide later', () => {
    const failover = following()
      .see(agreed(2, 'db2', true))
      .released()
      .see({ kind: 'lead', lead: 'self' });
    expect(failover.pass(600_000).is).toBe('RECOVERING db2 2');
    expect(failover.order({ do: 'failback', force: false }).released().is).toBe('MASTER db1 2');
  });
});
