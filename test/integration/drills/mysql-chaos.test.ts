import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { CuttableLink } from '../../helpers/cuttable-link.ts';
import { drillSeconds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { eventually } from '../../helpers/eventually.ts';
import { caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlLoad } from '../../helpers/mysql-load.ts';
import { startVip, vipConfig } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';

const DRILL = 'mysql-vip in chaos';
const SECONDS = drillSeconds(8);

/** The same every time, as what it shows is to be found again. */
function* dice(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

needs('mariadbd', 'mariadb-server').describe('a MySQL master and its slave fail at random', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  beforeAll(async () => {
    pair = await mariadbPair();
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
  });

  test(
    'no acknowledged write is lost, only the master takes any, and the slave catches up',
    async () => {
      await pair.restore();
      // The way from Vane to the master, and that from the slave to it.
      await using toMaster = await CuttableLink.open(pair.master.port);
      await using replication = await CuttableLink.open(pair.master.port);
      const servers = vipConfig(pair).servers.map((server) =>
        server.role === 'master' ? { ...server, port: toMaster.port } : server,
      );
      await pair.slave.sql('STOP SLAVE', `CHANGE MASTER TO MASTER_PORT=${replication.port}`, 'START SLAVE');
      await using vip = await startVip(pair, { servers, failback: { policy: 'automatic', stable: 0 } });
      await vip.leadsTo('db1');
      const load = new MysqlLoad(vip.rw, 9);
      const random = dice(Number(process.env.VANE_DRILL_SEED ?? 7));
      const roll = () => random.next().value ?? 0;
      const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      const end = systemClock.now() + SECONDS * 1_000;
      let faults = 0;
      while (systemClock.now() < end) {
        const server = roll() < 0.6 ? pair.master : pair.slave;
        const kind = roll();
        if (kind < 0.3) {
          const link = roll() < 0.5 ? toMaster : replication;
          link.cut();
          await pause(500 + roll() * 5_000);
          link.mend();
        } else if (kind < 0.65) {
          await server.end(roll() < 0.5 ? 'SIGKILL' : 'SIGTERM');
          await pause(500 + roll() * 2_000);
          await server.start(...(server === pair.slave ? ['--read-only'] : []));
        } else {
          server.signal('SIGSTOP');
          await pause(500 + roll() * 5_000);
          server.signal('SIGCONT');
        }
        faults++;
        await pause(500 + roll() * 2_000);
      }
      // Where it had moved too often it stays where it is, until told.
      await eventually(() => expect(vip.view().servers.every(({ up }) => up === true)).toBe(true), 20_000);
      if (vip.view().target !== 'db1') {
        await eventually(async () => {
          const { target, phase } = vip.view();
          if (target !== 'db1')
            expect(await vip.order({ do: 'failback', force: false }), phase).toBeUndefined();
        }, 30_000);
      }
      await vip.leadsTo('db1', 20_000);
      const backAt = systemClock.now();
      await eventually(() => expect(load.done('transaction', backAt).length).toBeGreaterThan(10), 20_000);
      await load.stop();
      await caughtUp(pair);
      const rows = await pair.slave.sql(
        'SELECT client, seq, COUNT(*) AS n, MAX(srv) AS srv FROM test.t GROUP BY client, seq',
      );
      const found = new Map(rows.map(({ client, seq, n }) => [`${client} ${seq}`, n]));
      const lost = (['insert', 'transaction'] as const).flatMap((kind) =>
        load
          .done(kind)
          .filter(({ client, seq }) => found.get(`${client} ${seq}`) !== (kind === 'insert' ? 1 : 3)),
      );
      const foreign = rows.filter(({ srv }) => srv !== 1);
      figure(DRILL, `faults in ${SECONDS} s`, faults);
      figure(DRILL, 'moves', (vip.view().epoch ?? Number.NaN) - 1);
      figure(DRILL, 'acknowledged writes that are missing', lost.length, '0');
      figure(DRILL, 'writes that another than the master took', foreign.length, '0');
      expect({ lost, foreign }).toEqual({ lost: [], foreign: [] });
    },
    drillTimeout(SECONDS * 2 + 30).timeout,
  );
});
