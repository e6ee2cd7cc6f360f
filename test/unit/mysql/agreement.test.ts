import { expect, test } from 'vitest';
import { type Agreed, Agreement } from '../../../src/mysql/agreement.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { recordedLog, startedRegistry } from '../../helpers/registry.ts';

/** Proxies that share a registry; `a` starts first. */
async function setUp() {
  const { registry, catalog, clock } = await startedRegistry();
  const proxy = (first: Agreed, servers = 'db1=master,db2=slave') => {
    const state = { own: first, locks: [] as boolean[], told: [] as Agreed[] };
    const { log, lines } = recordedLog();
    const failing = { now: false };
    const agreement = new Agreement({
      registry: {
        catalog,
        kv: registry.kv,
        sessions: {
          create: (request, cause) => registry.sessions.create(request, cause),
          destroy: (id, cause) => registry.sessions.destroy(id, cause),
          renew: (id) => (failing.now ? Promise.reject(new Error('no store')) : registry.sessions.renew(id)),
        },
      },
      ...{ clock, log, vip: 'main', servers },
      own: () => state.own,
      onTold: (told) => state.told.push(told),
      onLock: (isHeld) => state.locks.push(isHeld),
    });
    return { agreement, state, failing, lines };
  };
  const [a, b] = [proxy({ master: 'db1', promotedAt: 0 }), proxy({ master: 'db1', promotedAt: 0 })];
  a.agreement.start();
  await settle();
  b.agreement.start();
  await settle();
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      await settle();
    }
  };
  return { a, b, pass, proxy };
}

test('one holds the lock, and the others are told what it has written', async () => {
  const { a, b, pass } = await setUp();
  expect([a.state.locks, b.state.locks]).toEqual([[true], []]);
  a.state.own = { master: 'db2', demoted: 'db1', promotedAt: 77 };
  a.agreement.changed();
  await pass(1_000);
  expect(b.state.told.at(-1)).toMatchObject(a.state.own);
  await pass(60_000);
  expect([a.state.locks, b.state.locks]).toEqual([[true], []]);
});

test('one that stops leaves the lock to another', async () => {
  const { a, b, pass } = await setUp();
  await a.agreement.stop();
  await pass(10_000);
  expect(b.state.locks).toEqual([true]);
});

test('one that cannot renew does not take itself for the holder when another may be it', async () => {
  const { a, b, pass } = await setUp();
  a.failing.now = true;
  await pass(12_000);
  expect(a.state.locks).toEqual([true, false]);
  expect(a.lines.length).toBeGreaterThan(0);
  await pass(30_000);
  expect(b.state.locks).toEqual([true]);
});

test('one whose servers are configured otherwise is told nothing', async () => {
  const { proxy } = await setUp();
  const other = proxy({ master: 'db2', promotedAt: 0 }, 'db1=slave,db2=master');
  other.agreement.start();
  await settle();
  expect(other.state.told).toEqual([]);
  await other.agreement.stop();
});
