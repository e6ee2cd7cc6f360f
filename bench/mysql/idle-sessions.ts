import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { BENCH } from '../paths.ts';
import { megabytes, type Part } from '../registry/result.ts';
import type { Place } from './place.ts';
import { startVane } from './proxies.ts';

const BAR_MB = 150;
const OF = 10_000;
/** For memory to be given back that only logging in has needed. */
const SETTLE_MS = 5_000;

/** What sessions cost that are logged in and say nothing. */
export async function idleSessions(place: Place): Promise<Part> {
  const { processes, cores, sessions } = place;
  const speak = (program: string, ...args: string[]) =>
    processes.converse({
      program: process.execPath,
      args: [`${BENCH}mysql/${program}`, ...args],
      cores: cores.load,
    });
  const server = speak('fake-server.ts');
  const lines = (child: typeof server) => createInterface({ input: child.stdout ?? process.stdin });
  const [port] = await once(lines(server), 'line');
  const vane = await startVane({ ...place, port: Number(port) });
  const clients = speak('quiet-clients.ts', String(vane.port));
  const answers = lines(clients);
  const open = async (count: number) => {
    clients.stdin?.write(`${count}\n`);
    const [line] = await once(answers, 'line');
    return Number(line);
  };
  place.progress('idle sessions: 200 to warm up');
  const first = await open(200);
  await sleep(SETTLE_MS);
  const before = vane.rssBytes();
  place.progress(`idle sessions: ${sessions}`);
  const all = await open(sessions - first);
  await sleep(SETTLE_MS);
  const bytes = (vane.rssBytes() - before) / (all - first);
  await Promise.all([clients.end(), server.end(), vane.end()]);
  if (all < sessions) throw new Error(`${all} sessions of ${sessions} were let in`);
  return {
    name: 'idle-sessions',
    title: 'Idle sessions',
    how: `${sessions} sessions that are logged in and say nothing, at a server that only speaks the protocol; growth of resident memory from ${first} on.`,
    figures: [
      { name: 'Memory of one', value: bytes / 1024, unit: 'KB' },
      {
        name: 'Memory of 10,000',
        value: megabytes(bytes * OF),
        unit: 'MB',
        bar: { at: 'most', limit: BAR_MB },
      },
    ],
  };
}
