import { expect, test } from 'vitest';
import type { Agreed, Opinion } from '../../../src/mysql/agreement/agreed.ts';
import { Agreement } from '../../../src/mysql/agreement/agreement.ts';
import { registryKeys } from '../../../src/mysql/agreement/registry-keys.ts';
import type { Lead } from '../../../src/mysql/failover/vip-state.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { recordedLog, startedRegistry } from '../../helpers/registry.ts';

const FIRST: Opinion = {
  ...{ epoch: 0, target: 'db1', away: false, master: 'db1', demoted: undefined, promotedAt: 0 },
};

/** Proxies that share a registry; `a` starts first. */
async function setUp() {
  const { registry, catalog, clock } = await startedRegistry();
  const shared = { catalog, kv: registry.kv, sessions: registry.sessions, cluster: {} };
  const proxy = (node: string, servers = 'db1=master,db2=slave') => {
    const state = { own: FIRST, isAble: true, leads: [] as Lead[], told: [] as Agreed[] };
    const { log, lines } = recordedLog();
    const failing: { now?: () => Promise<boolean> } = {};
    const keys = registryKeys(shared, 'a test');
    const agreement = new Agreement({
      keys: {
        ...keys,
        renewSession: (id) => failing.now?.() ?? keys.renewSession(id),
      },
      ...{ clock, log, vip: 'main', node, servers },
      own: () => state.own,
      isAble: () => state.isAble,
      onAgreed: (told) => state.told.push(told),
      onLead: (lead) => state.leads.push(lead),
    });
    return { agreement, state, failing, lines };
  };
  const [a, b] = [proxy('lb-1'), proxy('lb-2')];
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

test('one decides, and both are told what it has written, in an epoch for each target', async () => {
  const { a, b, pass } = await setUp();
  expect([a.state.leads.at(-1), b.state.leads.at(-1)]).toEqual(['self', 'other']);
  expect(b.state.told).toMatchObject([{ epoch: 1, target: 'db1', by: 'lb-1' }]);
  // Nobody is led anywhere at the moment, which is no news.
  a.state.own = { ...FIRST, target: undefined };
  a.agreement.changed();
  a.state.own = { ...FIRST, epoch: 1, target: 'db2', master: 'db2', demoted: 'db1', promotedAt: 77 };
  a.agreement.changed();
  await pass(1_000);
  const agreed = { epoch: 2, target: 'db2', master: 'db2', demoted: 'db1', promotedAt: 77 };
  expect(b.state.told.at(-1)).toMatchObject(agreed);
  expect(a.state.told.at(-1)).toMatchObject(agreed);
  a.state.own = { ...a.state.own, epoch: 2, demoted: undefined };
  a.agreement.changed();
  await pass(60_000);
  expect(b.state.told.at(-1)).toMatchObject({ epoch: 2, target: 'db2' });
  expect(b.state.told.at(-1)).not.toHaveProperty('demoted');
  expect([a.state.leads.at(-1), b.state.leads.at(-1)]).toEqual(['self', 'other']);
});

test('one that stops, or knows of no server any more, leaves it to another to decide', async () => {
  const { a, b, pass } = await setUp();
  a.state.isAble = false;
  await pass(2_000);
  expect([a.state.leads.at(-1), b.state.leads.at(-1)]).toEqual(['other', 'self']);
  a.state.isAble = true;
  await b.agreement.stop();
  await pass(10_000);
  expect(a.state.leads.at(-1)).toBe('self');
});

test('one that cannot renew takes nobody for the one that decides, and another is', async () => {
  const { a, b, pass } = await setUp();
  a.failing.now = () => Promise.reject(new Error('no store'));
  await pass(12_000);
  expect(a.state.leads.at(-1)).toBe('nobody');
  expect(a.lines.length).toBeGreaterThan(0);
  await pass(30_000);
  expect(b.state.leads.at(-1)).toBe('self');
  expect(b.state.told.at(-1)).toMatchObject({ epoch: 1, target: 'db1' });
});

test('one whose store says nothing does not go on deciding when another may', async () => {
  const { a, b, pass } = await setUp();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  a.failing.now = () => promise;
  await pass(12_500);
  expect(a.state.leads.at(-1)).toBe('nobody');
  await pass(30_000);
  expect(b.state.leads.at(-1)).toBe('self');
  delete a.failing.now;
  resolve(false);
  await pass(4_000);
  expect(a.state.leads.at(-1)).toBe('other');
});

test('one whose servers are configured otherwise is told nothing', async () => {
  const { proxy } = await setUp();
  const other = proxy('lb-3', 'db1=slave,db2=master');
  other.agreement.start();
  await settle();
  expect(other.state.told).toEqual([]);
  await other.agreement.stop();
});
