import { expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { figure, median } from './drill-figures.ts';
import { eventually } from './eventually.ts';
import { caughtUp, type MariadbPair } from './mariadb.ts';
import { MysqlLoad } from './mysql-load.ts';
import { startVip } from './mysql-vip.ts';

/** A way to lose a master, and to get it back. */
export interface Fault {
  readonly name: string;
  /** The longest time until clients read again that a user may expect, ms: as docs/mysql-vip.md tells it. */
  readonly bar: number;
  strike(pair: MariadbPair): void | Promise<void>;
  mend(pair: MariadbPair): void | Promise<void>;
}

/** Loses the master under load again and again, and tells what came of it; no acknowledged write may be lost. */
export async function loseMaster(
  drill: string,
  pair: MariadbPair,
  fault: Fault,
  times: number,
): Promise<void> {
  const rounds: Awaited<ReturnType<typeof round>>[] = [];
  for (let i = 0; i < times; i++) rounds.push(await round(pair, fault));
  const tell = (what: string, values: readonly number[], bar = '') => {
    figure(drill, `${fault.name}: ${what}, ms, median of ${times}`, Math.round(median(values)), bar);
    figure(drill, `${fault.name}: ${what}, ms, worst`, Math.round(Math.max(...values)), bar);
  };
  const column = (read: (one: (typeof rounds)[number]) => number) => rounds.map(read);
  const count = (what: string, values: readonly number[], bar = '') => {
    const sum = values.reduce((total, value) => total + value, 0);
    figure(drill, `${fault.name}: ${what}`, sum, bar);
    return sum;
  };
  tell(
    'first failed probe to new target',
    column((one) => one.switched),
  );
  tell(
    'gap in reading',
    column((one) => one.readGap),
    `≤ ${fault.bar}`,
  );
  tell(
    'gap in writing after the master is back',
    column((one) => one.writeGap),
  );
  count(
    'commits without an answer',
    column((one) => one.unknown),
  );
  const lost = column((one) => one.lost);
  const foreign = column((one) => one.foreign);
  expect(count('acknowledged writes that are missing', lost, '0')).toBe(0);
  expect(count('writes that another than the master took', foreign, '0')).toBe(0);
}

async function round(pair: MariadbPair, fault: Fault) {
  await pair.restore();
  await pair.master.sql('TRUNCATE test.t');
  // A VIP of its own: one that had moved so often would stay where it is.
  await using vip = await startVip(pair, {
    monitor: { user: 'vipmon', password: 'mon', interval: 1_000, timeout: 1_000, fall: 3, rise: 2 },
  });
  await vip.leadsTo('db1');
  const load = new MysqlLoad(vip.rw, 12);
  await eventually(() => expect(load.done('transaction').length).toBeGreaterThan(20));

  const lostAt = systemClock.now();
  await fault.strike(pair);
  await vip.leadsTo('db2', 20_000);
  const degradedAt = systemClock.now();
  await eventually(() => expect(load.done('read', degradedAt).length).toBeGreaterThan(20));
  const readGap = load.longestGap('read', lostAt - 100);
  const switched = vip.view().lastFailover ?? Number.NaN;

  await fault.mend(pair);
  const backAt = systemClock.now();
  await vip.update({ failback: { policy: 'automatic', stable: 0 } });
  await vip.leadsTo('db1', 20_000);
  await eventually(() => expect(load.done('transaction', backAt).length).toBeGreaterThan(20));
  await load.stop();
  await caughtUp(pair);
  const firstWrite = Math.min(...load.done('insert', backAt).map(({ to }) => to));
  return { readGap, switched, writeGap: firstWrite - backAt, ...(await account(pair, load)) };
}

/** What became of the writes, as the slave has them. */
async function account(pair: MariadbPair, load: MysqlLoad) {
  const rows = await pair.slave.sql(
    'SELECT client, seq, COUNT(*) AS n, MAX(srv) AS srv FROM test.t GROUP BY client, seq',
  );
  const found = new Map(rows.map(({ client, seq, n }) => [`${client} ${seq}`, n]));
  const lost = (['insert', 'transaction'] as const).flatMap((kind) =>
    load
      .done(kind)
      .filter(({ client, seq }) => found.get(`${client} ${seq}`) !== (kind === 'insert' ? 1 : 3)),
  );
  return {
    lost: lost.length,
    foreign: rows.filter(({ srv }) => srv !== 1).length,
    unknown: load.attempts.filter(({ unknown }) => unknown).length,
  };
}
