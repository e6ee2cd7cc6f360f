import { expect } from 'vitest';
import { createConsulApi } from '../../../src/api/consul/server.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import type { CatalogReader } from '../../../src/registry/reader.ts';
import { startConsulApi } from '../../helpers/consul-api.ts';
import { eventually } from '../../helpers/eventually.ts';
import { needsPython, PYTHON } from '../../helpers/needs.ts';
import { type Program, startProgram } from '../../helpers/program.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { accessWith } from '../../helpers/tokens.ts';

// The client in Python (https://python-consul.readthedocs.io), and Patroni, which is built on it.

const FOLDER = 'test/integration/consul-clients';
const ACCESS = accessWith({
  web: { policy: 'register', services: ['web'], keys: ['web/*'] },
  patroni: { policy: 'register', services: ['batman'], keys: ['service/batman/*'] },
});

const python = needsPython('consul', 'python3-consul');
const patroni = needsPython('patroni.dcs.consul', 'patroni');

python.test('python-consul registers, finds, waits, keeps keys and is refused', async () => {
  const api = await startConsulApi({ access: ACCESS });
  try {
    const script = `${FOLDER}/everyday.py`;
    await using program = startProgram(PYTHON, [script, new URL(api.base).port, 'web']);
    expect(await program.ended, program.output()).toBe(0);
    expect(program.output()).toBe('good\n');
  } finally {
    await api.close();
  }
});

patroni.test('of two nodes of Patroni, the other one takes over when the one that leads dies', async () => {
  // Time of the registry is told: a session ends after twice its TTL, and that is 10 s at least.
  const { registry, clock } = await startedRegistry();
  const { catalog } = registry;
  const api = createConsulApi({
    registry,
    checks: { ttlUpdate: async () => false, restart: () => {} },
    scriptChecks: 'off',
    bind: { host: '127.0.0.1', port: 0 },
    access: ACCESS,
    clock: systemClock,
    log: silentLog,
    version: '1.9.8',
  });
  await api.start();
  try {
    const node = (name: string) =>
      startProgram(PYTHON, [`${FOLDER}/patroni-node.py`, String(api.port), 'patroni', name]);
    await using first = node('first');
    await first.says(/^leads$/m);
    await using second = node('second');
    await second.says(/^follows first$/m);
    // Those that live renew their sessions, so more than one TTL changes nothing.
    for (let step = 0; step < 3; step++) {
      await clock.advanceAsync(9_000);
      await rounds(first, second);
    }
    expect(catalog.sessions.all().value).toHaveLength(2);
    expect(rolesIn(catalog)).toEqual({ 'batman/first': 'master', 'batman/second': 'replica' });

    first.signal('SIGKILL');
    await first.ended;
    for (let step = 0; step < 3; step++) {
      await clock.advanceAsync(9_000);
      await rounds(second);
    }
    await second.says(/^leads$/m);
    await rounds(second);
    expect(second.output().replaceAll(/round\n/g, '')).toBe('follows first\nleads\n');
    expect(catalog.sessions.all().value.map(({ name }) => name)).toEqual(['batman-second']);
    expect(catalog.kv.under('service/batman/members/').value.map(({ key }) => key)).toEqual([
      'service/batman/members/second',
    ]);
    expect(rolesIn(catalog)).toMatchObject({ 'batman/second': 'master' });
  } finally {
    await api.stop(systemClock.now() + 1_000);
    await registry.stop(clock.now() + 1_000);
  }
});

/** Waits for a whole round of each; the one that is under way may have begun before. */
async function rounds(...nodes: readonly Program[]): Promise<void> {
  const counts = () => nodes.map((node) => node.output().match(/^round$/gm)?.length ?? 0);
  const before = counts();
  const wholeRound = (count: number, i: number) => count > (before[i] ?? 0) + 1;
  await eventually(() => expect(counts().every(wholeRound), `${before}, now ${counts()}`).toBe(true), 10_000);
}

function rolesIn(catalog: CatalogReader): Record<string, string | undefined> {
  const { value } = catalog.entries('batman');
  return Object.fromEntries(value.map(({ instance }) => [instance.id, instance.tags[0]]));
}
