import { describe, expect, test } from 'vitest';
import { bad, Failover, good, PROMOTE } from './failover-rig.ts';

const LOST = good({ io: 'connecting', lag: null });

/** A master that dies, as its slave knows. */
function dying(failover = new Failover(PROMOTE)): Failover {
  return failover.begin().probe('db1', bad()).probe('db2', LOST).probe('db1', bad());
}

describe('in place of a dead master', () => {
  test('a slave that knows of its death and has all becomes the master', () => {
    const failover = dying();
    expect(failover.is).toBe('PROMOTING - 1');
    expect(failover.state.promotion).toEqual({ server: 'db2', planned: false });
    failover.see({ kind: 'promoted', isFollowed: false });
    expect(failover.is).toBe('PROMOTED db2 2');
    expect(failover.state.servers.map(({ id, role }) => `${id} ${role}`)).toEqual([
      'db1 slave',
      'db2 master',
    ]);
    expect(failover.alarms).toEqual(['dead db1']);
  });

  test('that fails leaves the slave as it is, with clients that read', () => {
    const failover = dying().see({ kind: 'not-promoted', why: 'no fence' });
    expect(failover.is).toBe('DEGRADED db2 2');
    expect(failover.alarms).toEqual(['not-promoted', 'dead db1']);
    expect(failover.pass(20_000, bad(), LOST).is).toBe('DEGRADED db2 2');
  });

  test('that fails, and nobody knows how, leads nowhere while the slave takes writes', () => {
    const failover = dying()
      .probe('db2', good({ readOnly: false }))
      .see({ kind: 'not-promoted', why: 'no answer' });
    expect(failover.is).toBe('NONE - 1');
  });

  test('a master that only this proxy does not reach is never replaced: its slave hears from it', () => {
    const failover = new Failover(PROMOTE).begin();
    for (let i = 0; i < 100; i++)
      failover
        .probe('db1', bad())
        .probe('db2', good({ io: 'yes' }))
        .released();
    expect(failover.is).toBe('DEGRADED db2 2');
    expect(failover.events.some((event) => event.kind === 'phase' && event.to === 'PROMOTING')).toBe(false);
  });

  test('what becomes certain only later is done then', () => {
    const failover = new Failover(PROMOTE).begin();
    for (let i = 0; i < 40; i++)
      failover
        .probe('db1', bad())
        .probe('db2', good({ io: 'yes' }))
        .released();
    expect(failover.is).toBe('DEGRADED db2 2');
    expect(failover.probe('db2', LOST).is).toBe('PROMOTING - 2');
  });

  test.each([
    ['was too far behind', good({ io: 'connecting', lag: null }), { maxLag: 0, blockFor: 0 }],
    ['does not execute', good({ io: 'connecting', sql: false, lag: null }), PROMOTE.promote],
    ['replicates from nobody', good({ readOnly: true }), PROMOTE.promote],
  ])('not by a slave that %s', (_, slave, promote) => {
    const failover = new Failover({ ...PROMOTE, promote });
    failover.probe('db2', good({ io: 'yes', lag: 3_000 })).probe('db1', good());
    failover.probe('db1', bad()).probe('db2', slave).probe('db1', bad()).released();
    expect(failover.is).toBe('DEGRADED db2 2');
  });

  test('by the slave that has most', () => {
    const failover = new Failover(PROMOTE, ['db2', 'db3']).probe('db3', good({ io: 'yes' })).begin();
    failover.probe('db1', bad()).probe('db2', good({ io: 'connecting', lag: null, gtid: '0-1-10' }));
    failover.probe('db3', good({ io: 'connecting', lag: null, gtid: '0-1-11' })).probe('db1', bad());
    expect(failover.state.promotion).toEqual({ server: 'db3', planned: false });
  });

  test('not twice within an hour, unless an operator says so', () => {
    const failover = dying().see({ kind: 'promoted', isFollowed: true });
    failover
      .probe('db1', good({ io: 'yes' }))
      .probe('db1', good({ io: 'yes' }))
      .probe('db2', good());
    failover.probe('db2', bad()).probe('db1', LOST).probe('db2', bad()).released();
    expect(failover.is).toBe('DEGRADED db1 3');
    expect(failover.refuses({ do: 'promote', to: undefined, again: false })).toMatch(/not long ago/);
    failover.order({ do: 'promote', to: undefined, again: true });
    expect(failover.state.promotion).toEqual({ server: 'db1', planned: false });
  });

  test('not while frozen, nor in mode degrade, nor while the master works', () => {
    const promote = { do: 'promote', to: 'db2', again: true } as const;
    const degraded = new Failover().begin().fail();
    expect(degraded.refuses(promote)).toBe('failover.mode is degrade');
    expect(new Failover(PROMOTE).begin().refuses(promote)).toMatch(/hands over by switchover/);
    const frozen = new Failover(PROMOTE).begin().order({ do: 'freeze', time: undefined });
    frozen.probe('db1', bad()).probe('db2', LOST).probe('db1', bad());
    expect(frozen.is).toBe('SUSPECT db1 1');
  });
});

describe('switchover', () => {
  const SWITCHOVER = { do: 'switchover', to: undefined } as const;

  test('exchanges the two, and needs no rejoin where the old one follows already', () => {
    const failover = new Failover(PROMOTE).begin().order(SWITCHOVER);
    expect(failover.is).toBe('PROMOTING - 1');
    failover.see({ kind: 'promoted', isFollowed: true });
    expect(failover.is).toBe('MASTER db2 2');
    expect(failover.alarms).toEqual([]);
  });

  test('that fails is as if it had not been', () => {
    const failover = new Failover(PROMOTE).begin().order(SWITCHOVER);
    failover.see({ kind: 'not-promoted', why: 'db2 has not caught up' });
    expect(failover.is).toBe('MASTER db1 2');
    expect(failover.alarms).toEqual([]);
  });

  test.each([
    ['does not replicate', good({ io: 'no', lag: null })],
    ['is far behind', good({ io: 'yes', lag: 60_000 })],
    ['has no transaction ids', good({ io: 'yes', gtid: '' })],
  ])('is refused when the slave %s', (_, slave) => {
    const failover = new Failover(PROMOTE).begin().probe('db2', slave);
    failover.now += 20_000;
    expect(failover.refuses(SWITCHOVER)).toEqual(expect.any(String));
  });
});

describe('of several proxies', () => {
  const told = (master: string, promotedAt: number, demoted?: string) =>
    ({ kind: 'told', master, demoted, promotedAt }) as const;

  test('only the one with the lock promotes; others lead to the slave', () => {
    const failover = new Failover(PROMOTE).see({ kind: 'lead', lead: 'other' });
    expect(dying(failover).released().is).toBe('DEGRADED db2 0');
    expect(failover.refuses({ do: 'promote', to: 'db2', again: true })).toMatch(
      /^this Vane does not hold the lock/,
    );
    expect(failover.see({ kind: 'lead', lead: 'self' }).is).toBe('PROMOTING - 0');
  });

  test('the others follow what it has done, and what is older than that they do not', () => {
    const failover = new Failover(PROMOTE).see({ kind: 'lead', lead: 'other' });
    dying(failover).released();
    failover.probe('db2', good()).see(told('db2', 500, 'db1'));
    expect(failover.is).toBe('SWITCHING - 0');
    expect(failover.released().is).toBe('PROMOTED db2 0');
    expect(failover.see(told('db1', 400)).is).toBe('PROMOTED db2 0');
    expect(failover.see(told('db2', 500)).is).toBe('MASTER db2 0');
    expect(failover.state.demoted).toBeUndefined();
  });

  test('only the one with the lock takes a former master back', () => {
    const failover = new Failover(PROMOTE).see({ kind: 'lead', lead: 'other' });
    dying(failover)
      .released()
      .see(told('db2', 500, 'db1'))
      .released();
    failover
      .probe('db2', good())
      .probe('db1', good({ io: 'yes' }))
      .probe('db1', good({ io: 'yes' }));
    expect(failover.refuses({ do: 'rejoin', server: 'db1' })).toMatch(/^this Vane does not hold the lock/);
    failover.see({ kind: 'lead', lead: 'self' });
    expect(failover.refuses({ do: 'rejoin', server: 'db1' })).toBeUndefined();
  });

  test('who comes late learns it before anything else', () => {
    const failover = new Failover(PROMOTE).see({ kind: 'lead', lead: 'other' }).see(told('db2', 0, 'db1'));
    failover.probe('db1', good());
    expect(failover.is).toBe('INIT - 0');
    expect(failover.probe('db2', good()).is).toBe('PROMOTED db2 0');
  });
});

describe('a master of before', () => {
  const promoted = () => dying().see({ kind: 'promoted', isFollowed: false }).probe('db2', good());

  test('that is back and takes writes gets nobody, and is no slave to use', () => {
    const failover = promoted().probe('db1', good()).probe('db1', good());
    expect(failover.is).toBe('PROMOTED db2 2');
    expect(failover.alarms).toEqual(['split', 'slave-writable db1', 'stale db1']);
  });

  test('that has what the new one lacks is told of, and does not join', () => {
    const failover = promoted();
    const former = good({ readOnly: true, gtid: '0-1-12' });
    failover.probe('db1', former).probe('db1', former);
    expect(failover.alarms).toContain('diverged db1');
    expect(failover.refuses({ do: 'rejoin', server: 'db1' })).toBe('db1 has executed what db2 has not');
  });

  test('does not stand in before it has joined', () => {
    const failover = promoted();
    const slave = good({ io: 'yes' });
    failover.probe('db1', slave).probe('db1', slave).probe('db2', bad()).probe('db1', LOST);
    expect(failover.probe('db2', bad()).is).toBe('NONE - 2');
  });

  test('that follows joins when told, and is a slave like others', () => {
    const failover = promoted();
    failover.probe('db1', good({ io: 'yes' })).probe('db1', good({ io: 'yes' }));
    expect(failover.order({ do: 'rejoin', server: 'db1' }).is).toBe('MASTER db2 2');
    failover.probe('db2', bad()).probe('db1', LOST).probe('db2', bad()).released();
    expect(failover.is).toBe('DEGRADED db1 3');
  });

  test('that fails to be one is no concern of a new master that fails and answers again', () => {
    const failover = promoted().probe('db2', bad());
    expect(failover.is).toBe('SUSPECT db2 2');
    expect(failover.probe('db2', good()).is).toBe('PROMOTED db2 2');
  });
});
