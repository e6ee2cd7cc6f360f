import { expect, test } from 'vitest';
import { type ClusterOrder, ClusterOrders } from '../../../src/control/cluster-orders.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { recordedLog, startedRegistry } from '../../helpers/registry.ts';

async function started() {
  const { registry } = await startedRegistry();
  const { log, lines } = recordedLog();
  const orders = new ClusterOrders({ registry, clock: new FakeClock(), log });
  const heard: ClusterOrder[] = [];
  orders.listen((order) => heard.push(order));
  await orders.start();
  const write = (key: string, value: string, verb: 'set' | 'delete' = 'set') =>
    registry.kv.write(
      { verb, key, value: Buffer.from(value), flags: '0', index: 0, session: '' },
      { by: 'test', what: 'test' },
    );
  return { registry, orders, heard, lines, write };
}

const order = (id: string, mode: ClusterOrder['mode']): ClusterOrder => ({
  ...{ backend: 'we/b', id, mode, why: `${mode} by alice` },
});

test('what is said is heard once and found, and nothing stays of what was taken back', async () => {
  const { registry, orders, heard } = await started();
  await orders.say(order('127.0.0.1:80/lb-1/web-1', 'drain'));
  expect(heard).toEqual([order('127.0.0.1:80/lb-1/web-1', 'drain')]);
  expect(orders.find('we/b', '127.0.0.1:80/lb-1/web-1')?.why).toBe('drain by alice');
  await orders.say(order('127.0.0.1:80/lb-1/web-1', 'ready'));
  expect(heard.slice(1)).toEqual([order('127.0.0.1:80/lb-1/web-1', 'ready')]);
  expect(orders.find('we/b', '127.0.0.1:80/lb-1/web-1')).toBeUndefined();
  expect(registry.catalog.kv.under('').value).toEqual([]);
});

test('a key that is deleted by other means makes its server ready', async () => {
  const { orders, heard, write } = await started();
  await orders.say(order('a', 'maint'));
  await write('_vane/servers/we%2Fb/a', '', 'delete');
  expect(heard[1]).toMatchObject({ id: 'a', mode: 'ready' });
  expect(heard[1]?.why).toMatch(/gone from the registry/);
});

test('what is no order is told and passed over', async () => {
  const { heard, lines, write } = await started();
  const good = '{"state":"drain","why":"by hand"}';
  const bad = [
    ['_vane/servers/web', good],
    ['_vane/servers/web/a/b', good],
    ['_vane/servers/web/%zz', good],
    ['_vane/servers/web/a', 'drain'],
    ['_vane/servers/web/b', '{"state":"off","why":""}'],
    ['_vane/servers/web/c', good.padEnd(5_000)],
  ] as const;
  for (const [key, value] of bad) await write(key, value);
  expect(heard).toEqual([]);
  expect(lines.map(({ fields }) => fields.key)).toEqual(bad.map(([key]) => key));
});

test('there is an end to the servers out of use', async () => {
  const { orders } = await started();
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => orders.say(order(String(i), 'maint'))));
  await expect(orders.say(order('more', 'maint'))).rejects.toThrow(/1000 servers .* say ready of some first/);
  await orders.say(order('7', 'ready'));
  await orders.say(order('more', 'maint'));
});
