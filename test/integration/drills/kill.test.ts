import { expect, test } from 'vitest';
import { drillRounds, drillTimeout, figure, percentile } from '../../helpers/drill-figures.ts';
import { type Instances, idOf, startInstances } from '../../helpers/drill-instances.ts';
import { Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, startVane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

const ROUNDS = drillRounds(3);

test(
  'when an instance is killed, no GET fails and no POST is executed twice',
  drillTimeout(ROUNDS),
  async () => {
    await using vane = await startVane(
      ({ frontend, stats, http }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: off }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`,
    );
    await using all = new AsyncDisposableStack();
    const everybody: Instances[] = [];
    const start = async (name: string): Promise<Instances> => {
      const instance = all.use(await startInstances(name));
      everybody.push(instance);
      const address = instance.addresses.get(name) ?? '';
      const check = { HTTP: `http://${address}/health`, Interval: '1s', Timeout: '5s', Status: 'passing' };
      await vane.register(name, address, { Check: check });
      return instance;
    };

    const alive = new Map<string, Instances>();
    for (const name of ['web-1', 'web-2', 'web-3']) alive.set(name, await start(name));
    await answeredBy(vane.port, [...alive.keys()]);
    await using load = new Load({ port: vane.port });
    await load.more(200);

    let interrupted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [name = '', victim] = alive.entries().next().value ?? [];
      if (!victim) throw new Error('nobody to kill');
      // It is to be doing something that must not be done again.
      await eventually(() => expect(postsUnderWay(victim, load)).toBeGreaterThan(0));
      victim.signal('SIGKILL');
      await victim.ended;
      await load.more(300);
      interrupted += postsUnderWay(victim, load);
      alive.delete(name);
      const next = `web-${round + 4}`;
      alive.set(next, await start(next));
      await load.more(100);
    }
    await load.stop();

    const gets = load.answered.filter(({ method }) => method === 'GET');
    const posts = load.answered.filter(({ method }) => method === 'POST');
    const executions = new Map<string, number>();
    for (const { event, target } of everybody.flatMap((instance) => instance.noted())) {
      const id = idOf(target);
      if (event === 'executed') executions.set(id, (executions.get(id) ?? 0) + 1);
    }
    const twice = posts.filter(({ id }) => (executions.get(id) ?? 0) > 1);
    const failedPosts = posts.filter(({ problem }) => problem !== undefined);
    const metrics = await vane.metrics();

    figure('kill', 'instances killed under load', ROUNDS);
    figure('kill', 'GETs', gets.length);
    figure('kill', 'GETs failed', gets.filter(({ problem }) => problem !== undefined).length, '0');
    figure(
      'kill',
      'GET, 99th percentile, ms',
      percentile(
        gets.map(({ ms }) => ms),
        99,
      ),
    );
    figure('kill', 'GET, slowest, ms', Math.max(...gets.map(({ ms }) => ms)));
    figure('kill', 'POSTs', posts.length);
    figure('kill', 'POSTs executed twice', twice.length, '0');
    figure('kill', 'POSTs executed by an instance that died before it answered', interrupted);
    figure('kill', 'POSTs answered with an error', failedPosts.length);
    figure(
      'kill',
      'attempts that went to another server',
      metricOf(metrics, 'haproxy_backend_redispatch_warnings_total'),
    );

    expect(problems(gets)).toEqual({});
    expect(twice).toEqual([]);
    expect(posts.filter(({ id, problem }) => problem === undefined && executions.get(id) !== 1)).toEqual([]);
    // What was being executed cannot be known to have been: that is said, and nothing else is refused.
    expect(failedPosts.filter(({ status }) => status !== 502 && status !== 503)).toEqual([]);
    expect(failedPosts.length).toBeGreaterThanOrEqual(interrupted);
  },
);

/** POSTs that an instance has begun to execute and that were not answered. */
function postsUnderWay(instance: Instances, load: Load): number {
  const answered = new Set(load.answered.filter(({ problem }) => problem === undefined).map(({ id }) => id));
  return instance
    .noted()
    .filter(({ event }) => event === 'executed')
    .filter(({ target }) => !answered.has(idOf(target))).length;
}
