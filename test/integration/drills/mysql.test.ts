import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { drillRounds, drillTimeout, figure, median } from '../../helpers/drill-figures.ts';
import { eventually } from '../../helpers/eventually.ts';
import { caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlLoad } from '../../helpers/mysql-load.ts';
import { startVip } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';

/** Times that a user may expect, ms: as docs/mysql-vip.md tells them. */
const FAULTS = [
  { fault: 'SIGKILL', bar: 1_500 },
  { fault: 'SIGTERM', bar: 1_500 },
  { fault: 'SIGSTOP', bar: 6_000 },
] as const;

const ROUNDS = drillRounds(1);
const DRILL = 'mysql-vip';

needs('mariadbd', 'mariadb-server').describe('a MySQL master is lost under load, again and again', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  beforeAll(async () => {
    pair = await mariadbPair();
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
  });

  for (const { fault, bar } of FAULTS) {
    const { timeout } = drillTimeout(ROUNDS * 8);
    test(
      `by ${fault}`,
      async () => {
        const rounds: Awaited<ReturnType<typeof round>>[] = [];
        for (let i = 0; i < ROUNDS; i++) rounds.push(await round(fault));
        const column = (read: (one: (typeof rounds)[number]) => number) => rounds.map(read);
        const tell = (what: string, values: readonly number[], limit = '') => {
          figure(DRILL, `${fault}: ${what}, ms, median of ${ROUNDS}`, Math.round(median(values)), limit);
          figure(DRILL, `${fault}: ${what}, ms, worst`, Math.round(Math.max(...values)), limit);
        };
        tell(
          'first failed probe to new target',
          column((one) => one.switched),
        );
        tell(
          'gap in reading',
          column((one) => one.readGap),
          `≤ ${bar}`,
        );
        tell(
          'gap in writing after the master is back',
          column((one) => one.writeGap),
        );
        const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
        figure(DRILL, `${fault}: commits without an answer`, sum(column((one) => one.unknown)));
        figure(DRILL, `${fault}: acknowledged writes that are missing`, sum(column((one) => one.lost)), '0');
        figure(
          DRILL,
          `${fault}: writes that another than the master took`,
          sum(column((one) => one.foreign)),
          '0',
        );
        expect(sum(column((one) => one.lost + one.foreign))).toBe(0);
      },
      timeout,
    );
  }

  async function round(fault: NodeJS.Signals) {
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
    if (fault === 'SIGSTOP') pair.master.signal(fault);
    else await pair.master.end(fault);
    await vip.leadsTo('db2', 20_000);
    const degradedAt = systemClock.now();
    await eventually(() => expect(load.done('read', degradedAt).length).toBeGreaterThan(20));
    const readGap = load.longestGap('read', lostAt - 100);
    const switched = vip.view().lastFailover ?? Number.NaN;

    if (fault === 'SIGSTOP') pair.master.signal('SIGCONT');
    else await pair.master.start();
    const backAt = systemClock.now();
    await vip.update({ failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1', 20_000);
    await eventually(() => expect(load.done('transaction', backAt).length).toBeGreaterThan(20));
    await load.stop();
    await caughtUp(pair);
    const firstWrite = Math.min(...load.done('insert', backAt).map(({ to }) => to));
    return { readGap, switched, writeGap: firstWrite - backAt, ...(await account(load)) };
  }

  /** What became of the writes, as the slave has them. */
  async function account(load: MysqlLoad) {
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
});
