import { expect, test } from 'vitest';
import { churn, churnConfig, departed, PASSING, rssOf, STEADY } from '../../helpers/drill-churn.ts';
import { drillSeconds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { startInstances } from '../../helpers/drill-instances.ts';
import { problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, portOf, startVane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

const SECONDS = drillSeconds(5);
/** What V8 lets pile up before it collects takes half a minute to stop growing. */
const IS_LONG = SECONDS >= 60;
const RSS_MB = 450;
const RSS_GROWTH_MB = 40;

test(
  'the program neither grows nor keeps descriptors while instances come and go',
  drillTimeout(SECONDS * 4),
  async () => {
    await using instances = await startInstances(...STEADY, ...PASSING);
    await using vane = await startVane((places) => churnConfig(places, 'info'));
    for (const name of STEADY) await vane.register(name, instances.addresses.get(name) ?? '');
    await answeredBy(vane.port, STEADY);
    const places = { registry: vane, instances, port: vane.port, http: portOf(vane.places.http) };
    // V8 gives nothing back before its first full collections: until then resident memory grows without a leak.
    await churn({ ...places, seconds: IS_LONG ? SECONDS * 2 : SECONDS / 2, prefix: 'warm' });
    vane.hangUp();
    const before = await calm(vane);
    const rssBefore = rssOf(vane.pid);
    const { load, changes } = await churn({ ...places, seconds: SECONDS, prefix: 'churn' });
    vane.hangUp();
    const after = await eventually(async () => {
      const text = await vane.metrics();
      expect(metricOf(text, 'process_open_fds')).toBeLessThanOrEqual(metricOf(before, 'process_open_fds'));
      expect(metricOf(text, 'nodejs_active_resources')).toBeLessThanOrEqual(
        metricOf(before, 'nodejs_active_resources'),
      );
      return text;
    }, 20_000);
    const growth = rssOf(vane.pid) - rssBefore;

    figure('churn of the program', 'registrations and deregistrations', changes);
    figure('churn of the program', 'requests meanwhile', load.answered.length);
    figure('churn of the program', 'requests failed', load.failed.length, '0');
    for (const name of ['process_open_fds', 'nodejs_active_resources']) {
      figure(
        'churn of the program',
        `${name} before and after`,
        `${metricOf(before, name)} and ${metricOf(after, name)}`,
      );
    }
    figure('churn of the program', 'resident memory before, MB', rssBefore);
    figure('churn of the program', 'resident memory after, MB', rssBefore + growth, `${RSS_MB}`);
    figure(
      'churn of the program',
      'growth of resident memory, MB',
      growth,
      IS_LONG ? `${RSS_GROWTH_MB}` : '',
    );
    figure('churn of the program', 'series of instances that left', departed(after), '0');
    expect(problems(load.answered)).toEqual({});
    expect(departed(after)).toBe(0);
    expect(rssBefore + growth).toBeLessThan(RSS_MB);
    if (IS_LONG) expect(growth).toBeLessThan(RSS_GROWTH_MB);
    expect(metricOf(after, 'vane_access_log_dropped_total')).toBe(0);
  },
);

/** Waits until the connections that were kept for later have aged out; its own scrape is one more. */
async function calm(vane: { metrics(): Promise<string> }): Promise<string> {
  return eventually(async () => {
    const text = await vane.metrics();
    const sockets = metricOf(text, 'nodejs_active_resources', 'type="TCPSocketWrap"');
    if (sockets > 1) throw new Error(`${sockets} sockets are still open`);
    return text;
  }, 20_000);
}
