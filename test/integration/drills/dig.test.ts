import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { figure } from '../../helpers/drill-figures.ts';
import { startInstances } from '../../helpers/drill-instances.ts';
import { Load, problems } from '../../helpers/drill-load.ts';
import { portOf, startVane } from '../../helpers/drill-vane.ts';
import { needs } from '../../helpers/needs.ts';

const run = promisify(execFile);

needs('dig', 'dnsutils').test(
  'dig finds healthy instances over UDP and TCP while the proxy works, and not a critical one',
  async () => {
    await using vane = await startVane(
      ({ frontend, stats, http, dns }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: "${dns}" }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`,
    );
    const [a, b, c] = ['127.0.0.21', '127.0.0.22', '127.0.0.23'];
    await using instances = await startInstances(`web-1=${a}:0`, `web-2=${b}:0`, `web-3=${c}:0`);
    const address = (name: string) => instances.addresses.get(name) ?? '';
    await vane.register('web-1', address('web-1'));
    await vane.register('web-2', address('web-2'), { Check: { TTL: '1h', Status: 'passing' } });
    await vane.register('web-3', address('web-3'), { Check: { TTL: '1h', Status: 'critical' } });
    const dig = async (...args: string[]) => {
      const at = ['@127.0.0.1', '-p', `${portOf(vane.places.dns)}`, '+time=5', '+tries=2'];
      return (await run('dig', [...at, ...args])).stdout;
    };
    const short = async (...args: string[]) => (await dig('+short', ...args)).trim().split('\n').sort();
    const srv = (name: string) => new RegExp(`^1 1 ${portOf(address(name))} \\S+\\.consul\\.$`);

    await using load = new Load({ port: vane.port });
    await load.more(50);
    for (const transport of ['+notcp', '+tcp']) {
      expect(await short(transport, 'web.service.consul')).toEqual([a, b]);
      const targets = await short(transport, 'web.service.consul', 'SRV');
      expect(targets).toHaveLength(2);
      expect(targets.some((line) => srv('web-1').test(line))).toBe(true);
      expect(targets.some((line) => srv('web-2').test(line))).toBe(true);
      const whole = await dig(transport, 'web.service.consul', 'SRV');
      expect(whole).toMatch(/status: NOERROR/);
      // The addresses of the targets come along.
      expect(whole).toMatch(new RegExp(`\\sIN\\s+A\\s+${a.replaceAll('.', '\\.')}$`, 'm'));
      expect(whole).not.toContain(c);
      expect(await dig(transport, 'nobody.service.consul')).toMatch(/status: NXDOMAIN/);
    }
    // An instance that turns critical leaves the answers in the commit that says so, as it leaves the proxy.
    await vane.fail('service:web-2');
    expect(await short('+notcp', 'web.service.consul')).toEqual([a]);
    await load.stop();
    figure('dig', 'requests failed meanwhile', load.failed.length, '0');
    expect(problems(load.answered)).toEqual({});
    expect(instances.noted().filter(({ instance }) => instance === 'web-3')).toEqual([]);
  },
  40_000,
);
