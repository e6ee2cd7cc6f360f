import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import type { Cores } from '../machine.ts';
import type { Processes, Running } from '../processes.ts';
import { freePort } from '../sockets.ts';
import { LOAD_USER } from './wire.ts';

const READY_WITHIN_MS = 30_000;
export const MONITOR = { user: 'vipmon', password: 'mon' };

/** A MariaDB server that keeps all in memory and syncs nothing: what is measured is the way to it. */
export async function startMariadb({
  processes,
  cores,
  folder,
}: {
  readonly processes: Processes;
  readonly cores: Cores;
  readonly folder: string;
}): Promise<{ readonly port: number; readonly running: Running }> {
  const data = `${folder}/mariadb`;
  mkdirSync(data);
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const own = ['--no-defaults', ...asRoot, `--datadir=${data}`, `--tmpdir=${folder}`];
  const install = [...own, '--auth-root-authentication-method=normal', '--skip-test-db'];
  await processes.run({ program: 'mariadb-install-db', args: install }, 60_000);
  const port = await freePort();
  const running = processes.start({
    program: 'mariadbd',
    args: [
      ...own,
      ...['--bind-address=127.0.0.1', `--port=${port}`, `--socket=${data}/s`, `--pid-file=${data}/pid`],
      ...['--skip-name-resolve', '--innodb-buffer-pool-size=128M', '--innodb-flush-log-at-trx-commit=0'],
      ...['--max-connections=300', '--performance-schema=OFF', '--skip-ssl', '--query-cache-type=0'],
    ],
    cores: cores.load,
  });
  await setUp(port, running);
  return { port, running };
}

async function setUp(port: number, running: Running): Promise<void> {
  const limit = performance.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      const connection = await createConnection({ host: '127.0.0.1', port, user: 'root' });
      for (const sql of [
        'CREATE DATABASE test',
        `GRANT ALL ON test.* TO '${LOAD_USER}'@'%' IDENTIFIED BY ''`,
        `GRANT REPLICA MONITOR, BINLOG MONITOR ON *.* TO '${MONITOR.user}'@'%' IDENTIFIED BY '${MONITOR.password}'`,
      ]) {
        await connection.query(sql);
      }
      await connection.end();
      return;
    } catch (error) {
      if (running.hasEnded() || performance.now() > limit) throw error;
      await sleep(100);
    }
  }
}
