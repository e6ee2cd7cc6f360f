import { expect, onTestFinished, test } from 'vitest';
import type { RuntimeConfig } from '../../../src/config/runtime/config.ts';
import { Control } from '../../../src/control/control.ts';
import { silentLog } from '../../../src/core/log.ts';
import { Slots } from '../../../src/health/slots.ts';
import { localChannel } from '../../../src/proxy/plane/channel.ts';
import type { ToPlane } from '../../../src/proxy/plane/messages.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { backendConfig } from '../proxy/fixtures.ts';

/** Control of one backend that follows one name, and a data plane that the test plays. */
async function setUp(found: number) {
  const clock = new FakeClock();
  const { control: end, plane } = localChannel();
  const told: ToPlane[] = [];
  let refuses = false;
  plane.onMessage((message) => {
    told.push(message);
    if (message.type !== 'config') return;
    const { generation } = message;
    if (refuses) plane.post({ type: 'rejected', generation, problems: [], why: 'told to' });
    else plane.post({ type: 'applied', generation, listening: [] });
  });
  const weights = new Map(Array.from({ length: found }, (_, i) => [i + 1, 1]));
  let changed = () => {};
  const builtin = {
    id: 'builtin',
    resolve: async () => ({
      ok: true as const,
      endpoints: [...weights].map(([port, weight]) => ({
        ...{ address: '10.0.0.1', port, weight, name: `web-${port}`, priority: 0 },
      })),
      excluded: [],
    }),
    watch: (_name: string, fn: () => void) => {
      changed = fn;
      return () => {};
    },
  };
  const control = new Control({
    channel: end,
    clock,
    random: () => 0.5,
    log: silentLog,
    builtin,
    slots: new Slots(1),
  });
  onTestFinished(async () => {
    const stopped = control.stop(0);
    await settle();
    plane.post({ type: 'drained', cut: 0 });
    await stopped;
  });
  const apply = async (mode: 'http' | 'tcp') => {
    const applied = control.apply(configOf(mode)).catch((error) => error);
    await clock.advanceAsync(10);
    const error = await applied;
    if (error) throw error;
  };
  await apply('http');
  told.length = 0;
  const weigh = async (port: number, weight: number | undefined) => {
    if (weight === undefined) weights.delete(port);
    else weights.set(port, weight);
    changed();
    await settle();
  };
  const refuse = () => {
    refuses = true;
  };
  return { told, weigh, apply, refuse, plane };
}

function configOf(mode: 'http' | 'tcp'): RuntimeConfig {
  const rest = {
    weight: 1,
    backup: false,
    maxconn: 0,
    drain: 0,
    check: undefined,
    onEmpty: 'drain',
  } as const;
  const where = { port: undefined, resolvers: 'builtin', interval: 3_600_000 };
  const source = { kind: 'domain', key: 'web', domain: 'web.service.consul', ...where, ...rest } as const;
  return {
    global: {
      node: 'lb-1',
      datacenter: 'dc1',
      pidfile: undefined,
      dataDir: undefined,
      workers: 0,
      maxconn: 100,
      hardStopAfter: 1_000,
      grace: 0,
      closeSpread: 0,
      log: { level: 'info', format: 'json' },
      stats: undefined,
    },
    registry: undefined,
    resolvers: [],
    frontends: [],
    backends: [backendConfig({ mode, servers: [source] })],
    mysqlVips: [],
  };
}

test('of a large set a change tells of what has changed, and no more', async () => {
  const { told, weigh } = await setUp(1_000);
  await weigh(7, 2);
  await weigh(8, undefined);
  await weigh(2_000, 1);
  expect(told.map((message) => (message.type === 'change' ? message.change : message.type))).toMatchObject([
    { since: 1, revision: 2, servers: [{ name: 'web-7', weight: 2 }], gone: [] },
    { since: 2, revision: 3, servers: [], gone: ['10.0.0.1:8/web-8'] },
    { since: 3, revision: 4, servers: [{ name: 'web-2000' }], gone: [] },
  ]);
  expect(told.flatMap((message) => (message.type === 'change' ? message.change.servers : []))).toHaveLength(
    2,
  );
});

test('a data plane that has missed something is told all', async () => {
  const { told, weigh, plane } = await setUp(3);
  await weigh(1, 2);
  plane.post({ type: 'missed', backend: 'web' });
  await settle();
  expect(told.at(-1)).toMatchObject({
    type: 'servers',
    set: { revision: 2, servers: [{ weight: 2 }, {}, {}] },
  });
});

test('when a configuration is refused, the data plane is told all of a backend that another was to replace', async () => {
  const { told, apply, refuse, weigh } = await setUp(2);
  refuse();
  await expect(apply('tcp')).rejects.toThrow('told to');
  await settle();
  expect(told.map(({ type }) => type)).toEqual(['config', 'servers']);
  expect(told.at(-1)).toMatchObject({ set: { backend: 'web', revision: 1, servers: [{}, {}] } });
  await weigh(1, 5);
  expect(told.at(-1)).toMatchObject({ type: 'change', change: { since: 1, revision: 2 } });
});
