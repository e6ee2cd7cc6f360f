/**
 * A process that commits to a SQLite store without end, several commits at a time, and prints the number of each
 * one that has been acknowledged. To be killed. Arguments: the file, and the first number to use.
 */
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/registry/stores/sqlite.ts';
import { CAUSE, putCheck, putNode, putService } from './registry-rows.ts';

const [file = '', first = '0'] = process.argv.slice(2);
const store = openSqliteStore(file);
await store.load();
await store.commit([putNode('n1')], CAUSE);

async function commitOne(n: number): Promise<void> {
  const id = `s-${n}`;
  const check = putCheck('n1', `c-${n}`, { id, service: 'web' });
  await store.commit([putService('n1', id, 'web'), check], CAUSE);
  // Straight to the pipe: what has been printed has been acknowledged before.
  writeSync(1, `${n}\n`);
}

for (let n = Number(first); ; n += 5) {
  await Promise.all([0, 1, 2, 3, 4].map((i) => commitOne(n + i)));
}
