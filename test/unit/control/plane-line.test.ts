import { describe, expect, test } from 'vitest';
import type { RuntimeConfig } from '../../../src/config/runtime/config.ts';
import type { GlobalConfig } from '../../../src/config/runtime/global.ts';
import { PlaneLine } from '../../../src/control/plane-line.ts';
import { localChannel } from '../../../src/proxy/plane/channel.ts';
import type { FromPlane, ToPlane } from '../../../src/proxy/plane/messages.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { backendConfig, frontendConfig } from '../proxy/fixtures.ts';

const global: GlobalConfig = {
  node: 'n',
  datacenter: 'dc1',
  dataDir: undefined,
  workers: 0,
  maxconn: 77,
  log: { level: 'info', format: 'json' },
  stats: undefined,
  grace: 0,
  closeSpread: 20,
  hardStopAfter: 1_000,
  pidfile: undefined,
};
const config: RuntimeConfig = {
  global,
  registry: undefined,
  resolvers: [],
  frontends: [frontendConfig()],
  backends: [backendConfig()],
  mysqlVips: [],
};
const counters = (connections: number) => ({ connections, frontends: [], backends: [] });

function setUp() {
  const clock = new FakeClock();
  const { control, plane } = localChannel();
  const asked: ToPlane[] = [];
  const news: string[] = [];
  plane.onMessage((message) => asked.push(message));
  const line = new PlaneLine(control, clock, {
    idle: (backend, server) => news.push(`${backend}/${server} is idle`),
    missed: (backend) => news.push(`${backend} was missed`),
    trouble: ({ backend, server, code }) => news.push(`${backend}/${server}: ${code}`),
    observed: ({ backend, server, onError }) => news.push(`${backend}/${server}: ${onError}`),
    steered: ({ backend, server, out }) => news.push(`${backend}/${server} is ${out ? 'out' : 'back'}`),
    stuck: (backend, entries) => news.push(`${backend} remembers ${entries.length}`),
  });
  const say = async (...messages: FromPlane[]) => {
    for (const message of messages) plane.post(message);
    await settle();
  };
  return { clock, line, asked, news, say };
}

describe('PlaneLine', () => {
  test('configures, and tells where the plane listens', async () => {
    const { clock, line, asked, say } = setUp();
    const sets = [{ backend: 'web', revision: 3, servers: [] }];
    const configured = line.configure(config, sets);
    await settle();
    expect(asked).toEqual([
      {
        type: 'config',
        generation: 1,
        maxconn: 77,
        closeSpread: 20,
        frontends: config.frontends,
        backends: config.backends,
        sets,
      },
    ]);
    const listening = [{ frontend: 'www', bind: { host: '127.0.0.1', port: 0 }, port: 8080 }];
    await say({ type: 'applied', generation: 1, listening });
    expect(await configured).toEqual(listening);
    expect(clock.pending).toBe(0);
  });

  test('tells every address that could not be listened on', async () => {
    const { line, say } = setUp();
    const configured = line.configure(config, []);
    const problem = (host: string) => ({
      frontend: 'www',
      bind: { host, port: 80 },
      message: 'EADDRINUSE',
    });
    const refused = expect(configured).rejects.toMatchObject({
      code: 'BIND_FAILED',
      message: 'frontend www: 10.0.0.1:80: EADDRINUSE; frontend www: [::1]:80: EADDRINUSE',
    });
    await say({ type: 'rejected', generation: 1, problems: [problem('10.0.0.1'), problem('::1')] });
    await refused;
  });

  test('a plane that takes nothing any more says so', async () => {
    const { line, say } = setUp();
    const refused = expect(line.configure(config, [])).rejects.toMatchObject({ code: 'BIND_FAILED' });
    await say({ type: 'rejected', generation: 1, problems: [] });
    await refused;
  });

  test('takes each answer for the question it belongs to', async () => {
    const { clock, line, asked, say } = setUp();
    const first = line.collect();
    const second = line.collect();
    await settle();
    expect(asked).toEqual([
      { type: 'collect', id: 1 },
      { type: 'collect', id: 2 },
    ]);
    await say(
      { type: 'counters', id: 2, counters: counters(2) },
      { type: 'counters', id: 9, counters: counters(9) },
      { type: 'counters', id: 1, counters: counters(1) },
    );
    expect((await first).connections).toBe(1);
    expect((await second).connections).toBe(2);
    expect(clock.pending).toBe(0);
  });

  test('an answer to an earlier configuration is none to this one', async () => {
    const { line, say } = setUp();
    const first = expect(line.configure(config, [])).rejects.toMatchObject({ code: 'BIND_FAILED' });
    await say({ type: 'rejected', generation: 1, problems: [] });
    await first;
    let done = false;
    const second = line.configure(config, []).then(() => {
      done = true;
    });
    await say({ type: 'applied', generation: 1, listening: [] });
    expect(done).toBe(false);
    await say({ type: 'applied', generation: 2, listening: [] });
    await second;
  });

  test('drains, and tells how much was cut', async () => {
    const { clock, line, asked, say } = setUp();
    const drained = line.drain(5_000);
    await clock.advanceAsync(5_900);
    expect(asked).toEqual([{ type: 'drain', withinMs: 5_000 }]);
    await say({ type: 'drained', cut: 4 });
    expect(await drained).toBe(4);
    expect(clock.pending).toBe(0);
  });

  test('does not wait for ever', async () => {
    const { clock, line, say } = setUp();
    const failures = [line.configure(config, []), line.collect(), line.drain(3_000)].map((answer) =>
      expect(answer).rejects.toMatchObject({ code: 'INTERNAL' }),
    );
    await clock.advanceAsync(10_000);
    await Promise.all(failures);
    expect(clock.pending).toBe(0);
    // Too late.
    await say({ type: 'applied', generation: 1, listening: [] }, { type: 'drained', cut: 0 });
  });

  test('passes servers on, and news back', async () => {
    const { line, asked, news, say } = setUp();
    const set = { backend: 'web', revision: 4, servers: [] };
    line.setServers(set);
    await say(
      { type: 'idle', backend: 'web', server: '10.0.0.1:80', revision: 4 },
      { type: 'trouble', backend: 'web', server: '10.0.0.2:80', code: 'CONNECT_REFUSED', message: 'x' },
    );
    expect(asked).toEqual([{ type: 'servers', set }]);
    expect(news).toEqual(['web/10.0.0.1:80 is idle', 'web/10.0.0.2:80: CONNECT_REFUSED']);
  });
});
