import { expect, test } from 'vitest';
import { drillSeconds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, portOf, startVane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { startProgram } from '../../helpers/program.ts';

const INTERVAL_MS = 200;
const DRAIN_MS = 500;
const SECONDS = drillSeconds(3);

test(
  'traffic goes on while the nameserver is away, and follows what it says when it is back',
  drillTimeout(3 * SECONDS),
  async () => {
    const [nameserver = '', web = ''] = await freeAddresses(2);
    const port = portOf(web);
    const before = { 'web-1': '127.0.0.11', 'web-2': '127.0.0.12' };
    const after = { 'web-3': '127.0.0.13', 'web-4': '127.0.0.14' };
    const specs = Object.entries({ ...before, ...after }).map(([name, host]) => `${name}=${host}:${port}`);
    await using _instances = await startInstances(...specs);
    const answer = (hosts: Readonly<Record<string, string>>) =>
      startProgram(process.execPath, [
        'test/helpers/drill-nameserver.mjs',
        `${portOf(nameserver)}`,
        ...Object.values(hosts),
      ]);
    await using first = answer(before);
    await first.says(/^nameserver answers/m);
    await using vane = await startVane(
      ({ frontend, stats }) => `
global: { stats: { bind: "${stats}" } }
registry: off
resolvers:
  corp: { nameserver: { ns1: "${nameserver}" }, resolve_retries: 2, timeout: { retry: 100ms } }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends:
  web: { servers: [{ domain: "web.example.test:${port}", interval: ${INTERVAL_MS}ms, drain: ${DRAIN_MS}ms }] }
`,
    );
    await answeredBy(vane.port, Object.keys(before));
    await using load = new Load({ port: vane.port });
    await load.more(100);

    const failedLookUps = async () =>
      metricOf(await vane.metrics(), 'vane_discovery_resolutions_total', 'result="failed"');
    /** Long enough for several intervals and for several times the drain, both by the clock and by what was tried. */
    const outage = async (): Promise<void> => {
      const since = monotonic();
      const failed = await failedLookUps();
      await eventually(
        async () => {
          expect(monotonic() - since).toBeGreaterThan((SECONDS / 2) * 1000);
          expect(await failedLookUps()).toBeGreaterThanOrEqual(failed + 3);
        },
        SECONDS * 1000 + 15_000,
      );
      figure('nameserver', 'look-ups that failed in one outage', (await failedLookUps()) - failed);
    };
    // Silent, as behind a firewall; then dead, as a port that nobody listens on.
    first.signal('SIGSTOP');
    await outage();
    first.signal('SIGKILL');
    await first.ended;
    await outage();
    const served = load.answered.length;

    await using second = answer(after);
    await second.says(/^nameserver answers/m);
    const backAt = monotonic();
    await answeredBy(vane.port, Object.keys(after));
    const takenAt = monotonic();
    await load.more(100);
    await load.stop();

    figure('nameserver', 'requests during the outages', served);
    figure('nameserver', 'requests failed', load.failed.length, '0');
    figure(
      'nameserver',
      'from the nameserver being back until only its new answer had requests, ms',
      takenAt - backAt,
    );
    expect(problems(load.answered)).toEqual({});
    const answered = new Set(load.answered.slice(-40).map(({ instance }) => instance));
    expect([...answered].sort()).toEqual(Object.keys(after));
  },
);
