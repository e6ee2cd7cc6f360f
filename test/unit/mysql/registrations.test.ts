import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { newVipState } from '../../../src/mysql/failover/vip-state.ts';
import { BuiltinInstances, forgetLeftovers } from '../../../src/mysql/registrations/builtin-instances.ts';
import type { EntryState } from '../../../src/mysql/registrations/instances.ts';
import { Registrations } from '../../../src/mysql/registrations/registrations.ts';
import { entriesOf } from '../../../src/mysql/vip-entries.ts';
import type { CheckStatus } from '../../../src/registry/model.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { recordedLog, startedRegistry } from '../../helpers/registry.ts';

const SERVERS = [
  { id: 'db1', role: 'master' as const, host: '10.0.0.11', port: 3306 },
  { id: 'db2', role: 'slave' as const, host: '10.0.0.12', port: 3306 },
];

/** Registrations in a registry whose every change of a status is written down, and can be made to fail. */
async function setUp() {
  const { registry, catalog } = await startedRegistry();
  const clock = new FakeClock();
  const told: string[] = [];
  const failing = new Set<string>();
  const { log, lines } = recordedLog();
  const registrations = new Registrations({
    instances: new BuiltinInstances(
      {
        catalog,
        registerService: (request, cause) => registry.registerService(request, cause),
        deregisterService: (id, cause) => registry.deregisterService(id, cause),
        reportCheck: async (id, status, output, cause) => {
          if (failing.has(id)) throw new VaneError('STORE_FAILED', 'no room');
          await registry.reportCheck(id, status, output, cause);
          told.push(`${id.replace('service:', '')} ${status}`);
        },
      },
      'main',
    ),
    clock,
    log,
    vip: 'main',
    entries: entriesOf({ service: 'mysql', servers: SERVERS }, newVipState(SERVERS, 0)),
  });
  const want = async (...passing: string[]) => {
    const state = (status: CheckStatus): EntryState => ({ status, output: '' });
    registrations.want(new Map(passing.map((id) => [id, state('passing')])));
    await settle();
  };
  const passing = () =>
    catalog
      .checksInState('passing')
      .value.map(({ serviceId }) => serviceId)
      .filter((id) => id.startsWith('mysql'));
  return { registrations, registry, catalog, clock, told, failing, lines, want, passing };
}

test('all are registered, critical, with their tags', async () => {
  const { want, catalog, passing } = await setUp();
  await want();
  const tags = [...catalog.services().value].filter(([name]) => name.startsWith('mysql'));
  expect(tags).toEqual([
    ['mysql-master', []],
    ['mysql-slave', []],
    ['mysql-vip', expect.arrayContaining(['master', 'degraded'])],
  ]);
  expect(passing()).toEqual([]);
});

test('what is to leave leaves before anything comes', async () => {
  const { want, told } = await setUp();
  await want('mysql-vip@db2');
  told.splice(0);
  await want('mysql-vip@db1');
  expect(told).toEqual(['mysql-vip@db2 critical', 'mysql-vip@db1 passing']);
});

test('nothing comes as long as something cannot leave', async () => {
  const { want, passing, failing, clock, registrations } = await setUp();
  await want('mysql-vip@db1');
  failing.add('service:mysql-vip@db1');
  await want('mysql-vip@db2');
  await clock.advanceAsync(5_000);
  expect(passing()).toEqual(['mysql-vip@db1']);
  failing.clear();
  await clock.advanceAsync(1_000);
  await registrations.settled();
  expect(passing()).toEqual(['mysql-vip@db2']);
  expect(clock.pending).toBe(0);
});

test('what somebody else has deregistered stays away, and the rest goes on', async () => {
  const { want, registry, passing, lines } = await setUp();
  await want('mysql-vip@db1');
  await registry.deregisterService('mysql-vip@db1', { by: 'api', what: 'deregister' });
  await want('mysql-vip@db2');
  expect(passing()).toEqual(['mysql-vip@db2']);
  expect(lines.map(({ message }) => message)).toEqual([
    'mysql-vip: instance was deregistered by somebody else',
  ]);
});

test('stopping takes all of them out, also while the registry refuses', async () => {
  const { want, registrations, catalog, failing, clock } = await setUp();
  await want('mysql-vip@db1');
  failing.add('service:mysql-vip@db1');
  await want('mysql-vip@db2');
  await registrations.stop();
  expect([...catalog.services().value.keys()].filter((name) => name.startsWith('mysql'))).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('what an earlier run has left is forgotten, and nothing else', async () => {
  const { want, registry, catalog } = await setUp();
  await want('mysql-vip@db1');
  await forgetLeftovers(registry);
  expect(catalog.node('lb-1').value?.instances.map(({ id }) => id)).toEqual(['consul']);
});

test('a promotion has the instances registered anew under the other roles, critical until more is known', async () => {
  const { registrations, want, catalog, passing } = await setUp();
  await want('mysql-master@db1', 'mysql-vip@db1', 'mysql-slave@db2');
  const exchanged = [
    { id: 'db1', role: 'slave' as const },
    { id: 'db2', role: 'master' as const },
  ];
  registrations.replace(entriesOf({ service: 'mysql', servers: SERVERS }, newVipState(exchanged, 0)));
  await want('mysql-master@db2', 'mysql-vip@db2');
  expect(passing().sort()).toEqual(['mysql-master@db2', 'mysql-vip@db2']);
  const own = catalog.node(catalog.self).value?.instances ?? [];
  const tags = own
    .map(({ id, tags }) => `${id} ${tags.join()}`.trim())
    .filter((id) => id.startsWith('mysql'));
  expect(tags.sort()).toEqual([
    'mysql-master@db2',
    'mysql-slave@db1',
    'mysql-vip@db1 degraded',
    'mysql-vip@db2 master',
  ]);
});
