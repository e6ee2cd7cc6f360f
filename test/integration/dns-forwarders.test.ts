import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import type { DnsServerOptions } from '../../src/dns/listener.ts';
import { createDnsServer } from '../../src/dns/server.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { needs } from '../helpers/needs.ts';
import { startProgram } from '../helpers/program.ts';
import { startedRegistry } from '../helpers/registry.ts';
import { CAUSE, serviceRequest } from '../helpers/registry-rows.ts';

/** How the programs find what Debian installs for root. */
const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

const cleanups: (() => unknown)[] = [];
let registry: Registry;
let vane: (options?: Partial<DnsServerOptions>) => Promise<number>;

beforeEach(async () => {
  const started = await startedRegistry();
  registry = started.registry;
  cleanups.push(() => registry.stop(0));
  vane = async (options = {}) => {
    const server = createDnsServer({
      bind: { host: '127.0.0.1', port: 0 },
      reader: started.catalog,
      domain: 'consul',
      log: silentLog,
      clock: systemClock,
      options,
    });
    await server.start();
    cleanups.push(() => server.stop(systemClock.now()));
    return server.port;
  };
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function register(id: string, address: string, port: number): Promise<void> {
  const service = serviceRequest(id, 'web', { address, port });
  return registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

needs('dnsmasq', 'dnsmasq-base').describe('behind dnsmasq', () => {
  const { test } = needs('dnsmasq', 'dnsmasq-base');

  /** As a machine has it whose every look-up goes to dnsmasq, and names in `consul` from there to Vane. */
  async function dnsmasq(port: number): Promise<Resolver> {
    const [address = ''] = await freeAddresses(1);
    const program = startProgram(
      'dnsmasq',
      [
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        `--port=${address.split(':')[1]}`,
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        '--no-resolv',
        '--no-hosts',
        '--pid-file=',
        `--user=${userInfo().username}`,
        '--log-facility=-',
        `--server=/consul/127.0.0.1#${port}`,
        `--rev-server=10.0.0.0/8,127.0.0.1#${port}`,
      ],
      env,
    );
    cleanups.push(() => program[Symbol.asyncDispose]());
    const resolver = new Resolver({ timeout: 5_000, tries: 3 });
    resolver.setServers([address]);
    await eventually(() => resolver.resolveSoa('consul'), 20_000);
    return resolver;
  }

  test('names of the zone are resolved, and changes seen at once', async () => {
    await register('w1', '10.83.0.1', 8001);
    await register('w2', '10.83.0.2', 8002);
    const resolver = await dnsmasq(await vane());
    expect((await resolver.resolve4('web.service.consul')).sort()).toEqual(['10.83.0.1', '10.83.0.2']);
    const srv = await resolver.resolveSrv('_web._tcp.service.consul');
    expect(srv.map(({ name, port }) => `${name} ${port}`).sort()).toEqual([
      '0a530001.addr.dc1.consul 8001',
      '0a530002.addr.dc1.consul 8002',
    ]);
    expect(await resolver.reverse('10.83.0.2')).toEqual(['web.service.dc1.consul']);
    await expect(resolver.resolve4('none.service.consul')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6('web.service.consul')).rejects.toMatchObject({ code: 'ENODATA' });

    await registry.deregisterService('w1', CAUSE);
    expect(await resolver.resolve4('web.service.consul')).toEqual(['10.83.0.2']);
    await register('w3', '10.83.0.3', 8003);
    expect(await resolver.resolve4('web.service.consul')).toHaveLength(2);
  });

  test('answers with a TTL are cached for as long, and shared between those who ask', async () => {
    await register('w1', '10.83.0.1', 8001);
    const resolver = await dnsmasq(await vane({ serviceTtls: { '*': 60 }, recursionAvailable: true }));
    expect(await resolver.resolve4('web.service.consul')).toEqual(['10.83.0.1']);
    await register('w1', '10.83.0.9', 8001);
    expect(await resolver.resolve4('web.service.consul')).toEqual(['10.83.0.1']);
  });
});

needs('haproxy', 'haproxy').describe('for HAProxy', () => {
  const { test } = needs('haproxy', 'haproxy');

  test('a server-template follows the registry, with addresses and ports', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vane-dns-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const socket = join(folder, 'haproxy.sock');
    const port = await vane();
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `global
  stats socket ${socket} level admin
defaults
  timeout connect 1s
  timeout client 1s
  timeout server 1s
resolvers vane
  nameserver registry 127.0.0.1:${port}
  accepted_payload_size 4096
  timeout resolve 50ms
  timeout retry 1s
  hold valid 50ms
  hold nx 50ms
  hold obsolete 0s
backend web
  server-template web 4 _web._tcp.service.consul resolvers vane init-addr none resolve-prefer ipv4
`,
    );
    await register('w1', '10.83.0.1', 8001);
    await register('w2', '10.83.0.2', 8002);
    const haproxy = startProgram('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], env);
    cleanups.push(() => haproxy[Symbol.asyncDispose]());
    const servers = async () => serversOf(await command(socket, 'show servers state web'));
    const say = () => haproxy.output();
    const become = (expected: readonly string[]) =>
      eventually(async () => expect(await servers(), say()).toEqual(expected), 20_000);
    await become(['10.83.0.1:8001', '10.83.0.2:8002']);
    await register('w3', '10.83.0.3', 8003);
    await become(['10.83.0.1:8001', '10.83.0.2:8002', '10.83.0.3:8003']);
    await registry.deregisterService('w1', CAUSE);
    await become(['10.83.0.2:8002', '10.83.0.3:8003']);
    await registry.setServiceMaintenance('w2', true, '', CAUSE);
    await become(['10.83.0.3:8003']);
  });
});

/** Answers of HAProxy's runtime API. */
function command(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path, () => socket.write(`${line}\n`));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.once('error', reject).once('close', () => resolve(answer));
  });
}

/** `address:port` of each server that has an address and may be used (HAProxy management guide, "show servers state"). */
function serversOf(state: string): string[] {
  const [, head = '', ...lines] = state.trim().split('\n');
  const names = head.replace(/^# /, '').split(' ');
  return lines
    .map((line) => Object.fromEntries(line.split(' ').map((value, i) => [names[i], value])))
    .filter(({ srv_op_state: state, srv_addr: address }) => state === '2' && address !== '-')
    .map(({ srv_addr: address, srv_port: port }) => `${address}:${port}`)
    .sort();
}
