import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { idOf, startInstances } from '../../helpers/drill-instances.ts';
import { ask, Load, MIXED, problems } from '../../helpers/drill-load.ts';
import { answeredBy, startVane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

/** A connection for each request. */
const SHORT = MIXED.filter(({ keepAlive }) => !keepAlive);

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
    await using load = new Load({ port: vane.port, clients: SHORT });
    await load.more(100);

    const slow = Array.from({ length: 9 }, () => ask(vane.port, '/slow?ms=1500'));
    const begun = () => [...one.noted(), ...two.noted()].filter(({ target }) => target.startsWith('/slow'));
    await eventually(() => expect(begun()).toHaveLength(slow.length));
    const ids = new Set(
      begun()
        .filter(({ instance }) => instance === 'web-1')
        .map(({ target }) => idOf(target)),
    );
    one.signal('SIGKILL');
    await one.ended;
    // From now on, with no check that could have noticed: it is found out by connecting.
    await using fresh = new Load({ port: vane.port, clients: SHORT });
    await fresh.more(300);
    await fresh.stop();
    await load.stop();
    const after = await askAll();
    const slowDone = await Promise.all(slow);
    for (const agent of kept) agent.destroy();

    figure('tcp', 'new connections after the kill', fresh.answered.length);
    figure('tcp', 'new connections after the kill that failed', fresh.failed.length, '0');
    figure('tcp', 'connections cut because they were open to the killed one', ids.size + load.failed.length);
    expect(problems(fresh.answered)).toEqual({});
    expect(new Set(fresh.answered.map(({ instance }) => instance))).toEqual(new Set(['web-2', 'web-3']));
    // A connection that was open to it is gone, so that the next request has another; each of the others is as it was.
    expect(problems(after)).toEqual({});
    for (const [i, { instance }] of after.entries()) {
      const was = before[i]?.instance;
      if (was === 'web-1') expect(instance).toMatch(/^web-[23]$/);
      else expect(instance).toBe(was);
    }
    // An answer under way is cut with its instance, and at once; those of the others are whole.
    expect(ids.size).toBeGreaterThan(0);
    for (const { id, problem, ms } of slowDone) {
      if (!ids.has(id)) expect(problem).toBeUndefined();
      else {
        expect(problem).toContain('cut after');
        expect(ms).toBeLessThan(1_500);
      }
    }
    expect(load.failed.length).toBeLessThanOrEqual(SHORT.length);
  },
);
