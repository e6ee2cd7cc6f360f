import { describe, expect, test } from 'vitest';
import { bad, Failover, good } from './failover-rig.ts';

const SWITCHOVER = { do: 'switchover', to: undefined } as const;
const FAILBACK = { do: 'failback', force: false } as const;
const FREEZE = { do: 'freeze', time: undefined } as const;

describe('switchover in mode degrade', () => {
  test('leads to a slave, which stays, however well the master is, until failback', () => {
    const failover = new Failover().begin().order(SWITCHOVER);
    expect(failover.is).toBe('SWITCHING - 1');
    expect(failover.released().pass(200_000).is).toBe('RECOVERING db2 2');
    expect(failover.order(FAILBACK).is).toBe('SWITCHING - 2');
    expect(failover.released().is).toBe('MASTER db1 3');
  });

  test('does not keep clients on a slave that dies', () => {
    const failover = new Failover().begin().order(SWITCHOVER).released().pass(2_000);
    expect(failover.probe('db2', bad()).probe('db2', bad()).released().is).toBe('MASTER db1 3');
    expect(failover.state.standing.away).toBe(false);
  });

  test('goes to the slave that is named', () => {
    const failover = new Failover({}, ['db2', 'db3']).probe('db3', good({ io: 'yes', lag: 5_000 })).begin();
    expect(failover.order({ do: 'switchover', to: 'db3' }).released().is).toBe('RECOVERING db3 2');
  });

  test.each([
    ['there is no such server', 'db9', new Failover().begin()],
    ['it is the master already', 'db1', new Failover().begin()],
    ['nobody can stand in', undefined, new Failover().probe('db1', good())],
    ['the slave takes writes', 'db2', new Failover().begin().probe('db2', good({ readOnly: false }))],
    ['the master is read-only', 'db2', new Failover().begin().probe('db1', good({ readOnly: true }))],
    ['clients are elsewhere', 'db2', new Failover().begin().fail()],
    ['it is frozen', 'db2', new Failover().begin().order(FREEZE)],
  ])('is refused, and changes nothing, when %s', (_, to, failover) => {
    const before = failover.is;
    expect(failover.refuses({ do: 'switchover', to })).toEqual(expect.any(String));
    expect(failover.order({ do: 'switchover', to }).is).toBe(before);
  });
});

describe('failback', () => {
  test('does not wait for its time, nor for the policy', () => {
    const failover = new Failover({ failback: { policy: 'manual', stable: 0, maxStable: 0, maxPerHour: 4 } });
    failover.begin().fail().pass(3_000);
    expect(failover.order(FAILBACK).released().is).toBe('MASTER db1 3');
  });

  test('waits for a slave that replicates, unless forced', () => {
    const failover = new Failover()
      .begin()
      .fail()
      .pass(3_000, good(), good({ io: 'no', lag: null }));
    expect(failover.refuses(FAILBACK)).toBe('db2 does not replicate');
    expect(failover.order({ do: 'failback', force: true }).released().is).toBe('MASTER db1 3');
  });

  test.each([
    ['is dead', bad()],
    ['is read-only', good({ readOnly: true })],
    ['lacks what the slave has', good({ gtid: '0-1-9' })],
  ])('even forced does not lead to a master that %s', (_, master) => {
    const failover = new Failover().begin().fail().pass(3_000, master);
    expect(failover.refuses({ do: 'failback', force: true })).toEqual(expect.any(String));
  });
});

describe('frozen', () => {
  test('a master that dies is not left, and that is told', () => {
    const failover = new Failover().begin().order(FREEZE).probe('db1', bad());
    failover.probe('db2', good({ io: 'no', lag: null })).probe('db1', bad());
    expect(failover.is).toBe('SUSPECT db1 1');
    expect(failover.alarms).toEqual(['frozen', 'dead db1']);
    expect(failover.order({ do: 'unfreeze' }).is).toBe('SWITCHING - 1');
  });

  test('ends by itself when it was for a time', () => {
    const failover = new Failover().begin().order({ do: 'freeze', time: 60_000 }).pass(3_000, bad());
    expect(failover.is).toBe('SUSPECT db1 1');
    failover.now += 60_000;
    expect(failover.probe('db2', good({ io: 'no', lag: null })).is).toBe('SWITCHING - 1');
  });

  test('nobody goes back', () => {
    const failover = new Failover().begin().fail().order(FREEZE).pass(200_000);
    expect(failover.is).toBe('RECOVERING db2 2');
    expect(failover.refuses(FAILBACK)).toBe('it is frozen');
  });

  test('a move under way is finished', () => {
    const failover = new Failover().begin().order(SWITCHOVER).order(FREEZE);
    expect(failover.released().is).toBe('RECOVERING db2 2');
  });
});

describe('a drained slave', () => {
  test('does not stand in, until it is ready', () => {
    const failover = new Failover().begin().order({ do: 'drain', server: 'db2' }).fail();
    expect(failover.is).toBe('NONE - 1');
    failover.order({ do: 'ready', server: 'db2' }).probe('db1', bad());
    expect(failover.is).toBe('DEGRADED db2 2');
  });

  test('cannot be the master, nor who has the clients', () => {
    const failover = new Failover().begin();
    expect(failover.refuses({ do: 'drain', server: 'db1' })).toMatch(/^db1 is the master/);
    expect(failover.refuses({ do: 'drain', server: 'db9' })).toBe('there is no server db9');
    expect(failover.fail().refuses({ do: 'drain', server: 'db2' })).toMatch(/^clients are led to db2/);
  });
});

test('paused is said and taken back, and leads nobody elsewhere', () => {
  const failover = new Failover().begin().order({ do: 'pause' });
  expect(failover.state.standing.paused).toBe(true);
  expect(failover.is).toBe('MASTER db1 1');
  expect(failover.order({ do: 'resume' }).state.standing.paused).toBe(false);
});
