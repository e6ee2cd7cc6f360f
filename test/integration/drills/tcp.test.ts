import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { startInstances } from '../../helpers/drill-instances.ts';
import { ask, Load, MIXED, problems } from '../../helpers/drill-load.ts';
import { answeredBy, startVane } from '../../helpers/drill-vane.ts';

test(
  'in mode tcp, when an instance is killed new connections go elsewhere and others stay',
  drillTimeout(10),
  async () => {
    await using one = await startInstances('web-1');
    await using two = await startInstances('web-2', 'web-3');
    await using vane = await startVane(
      ({ frontend, stats, http }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: off }
defaults: { mode: tcp }
frontends: { door: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`,
    );
    const addresses = [...one.addresses, ...two.addresses];
    for (const [name, address] of addresses) await vane.register(name, address);
    await answeredBy(vane.port, ['web-1', 'web-2', 'web-3']);

    // Kept connections, each of which stays with its instance.
    const kept = Array.from({ length: 9 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const askAll = () =>
      Promise.all(
        kept.map((agent, i) =>
          ask(vane.port, '/fast', { agent, keepAlive: true, method: i % 2 ? 'POST' : 'GET' }),
        ),
      );
    const before = await askAll();
    expect(problems(before)).toEqual({});
    expect(new Set(before.map(({ instance }) => instance)).size).toBe(3);
    await using load = new Load({ port: vane.port, clients: MIXED.filter(({ keepAlive }) => !keepAlive) });
    await load.more(100);

    one.signal('SIGKILL');
    await one.ended;
    // From now on, with no check that could have noticed: it is found out by connecting.
    await using fresh = new Load({ port: vane.port, clients: MIXED.filter(({ keepAlive }) => !keepAlive) });
    await fresh.more(300);
    await fresh.stop();
    await load.stop();
    const after = await askAll();
    for (const agent of kept) agent.destroy();

    const cut = load.failed.length;
    figure('tcp', 'new connections after the kill', fresh.answered.length);
    figure('tcp', 'new connections after the kill that failed', fresh.failed.length, '0');
    figure('tcp', 'connections cut because they were open to the killed one', cut);
    expect(problems(fresh.answered)).toEqual({});
    expect(new Set(fresh.answered.map(({ instance }) => instance))).toEqual(new Set(['web-2', 'web-3']));
    // A connection that was open to it is gone, so that the next request has another; each of the others is as it was.
    expect(problems(after)).toEqual({});
    for (const [i, { instance }] of after.entries()) {
      const was = before[i]?.instance;
      if (was === 'web-1') expect(instance).toMatch(/^web-[23]$/);
      else expect(instance).toBe(was);
    }
    expect(cut).toBeLessThanOrEqual(MIXED.filter(({ keepAlive }) => !keepAlive).length);
  },
);
