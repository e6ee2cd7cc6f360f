import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { frame, MessageReader } from '../../src/dns/framing.ts';
import type { DnsServerOptions } from '../../src/dns/listener.ts';
import { createDnsServer, type DnsServer } from '../../src/dns/server.ts';
import { catalogOf } from '../helpers/catalog-rows.ts';
import { address, cname, type ScriptedDnsServer, startDnsServer } from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const rows = [
  { service: 'web', address: '10.83.0.1', port: 80 },
  { service: 'far', address: 'far.example.net', port: 443 },
  { service: 'near', address: 'web.service.consul', port: 81 },
];

async function serve(options: Partial<DnsServerOptions>): Promise<DnsServer> {
  const server = createDnsServer({
    bind: { host: '127.0.0.1', port: 0 },
    reader: catalogOf(rows),
    domain: 'consul',
    log: silentLog,
    clock: systemClock,
    options,
  });
  await server.start();
  cleanups.push(() => server.stop(systemClock.now()));
  return server;
}

async function nameserver(): Promise<ScriptedDnsServer> {
  const server = await startDnsServer(() => 'drop');
  cleanups.push(() => server.close());
  return server;
}

type Said = DecodedPacket & { readonly rcode?: string };

/** Sends one query and waits for what comes back. */
async function ask(server: DnsServer, name: string, type: RecordType = 'A', id = 77): Promise<Said> {
  const socket = createSocket('udp4');
  try {
    return await new Promise<Said>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (message) => resolve(decode(message)));
      const flags = 0x0100;
      socket.send(
        encode({ type: 'query', id, flags, questions: [{ name, type }] }),
        server.port,
        '127.0.0.1',
      );
    });
  } finally {
    socket.close();
  }
}

const data = (said: Said) =>
  said.answers?.map((record) => `${record.type} ${'data' in record ? record.data : ''}`);

describe('names outside the zone', () => {
  let first: ScriptedDnsServer;
  let second: ScriptedDnsServer;
  let server: DnsServer;

  beforeEach(async () => {
    [first, second] = [await nameserver(), await nameserver()];
    server = await serve({ recursors: [first, second], recursorTimeout: 10_000 });
  });

  test('are answered as the first recursor does, and the second is not asked', async () => {
    first.script(({ name }) => ({
      answers: [cname(name, 'b.example'), address('b.example', '192.0.2.1', 300)],
    }));
    const said = await ask(server, 'a.example');
    expect(said).toMatchObject({ id: 77, rcode: 'NOERROR', flag_ra: true, flag_aa: false });
    expect(data(said)).toEqual(['CNAME b.example', 'A 192.0.2.1']);
    expect(said.answers?.[1]).toMatchObject({ ttl: 300 });
    expect(second.asked).toEqual([]);
  });

  test('do not exist where the recursor says so', async () => {
    first.script(() => ({ rcode: 'NXDOMAIN' }));
    expect(await ask(server, 'none.example', 'MX')).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(first.asked).toMatchObject([{ name: 'none.example', type: 'MX', transport: 'udp' }]);
  });

  test.each<[string, Parameters<ScriptedDnsServer['script']>[0]]>([
    ['fails', () => ({ rcode: 'SERVFAIL' })],
    ['refuses', () => ({ rcode: 'REFUSED' })],
    ['is silent', () => 'drop'],
    [
      'answers another id',
      ({ id }) => ({ id: (id + 1) & 0xffff, answers: [address('a.example', '192.0.2.66')] }),
    ],
    ['answers another question', () => ({ question: { name: 'b.example', type: 'A' } })],
    [
      'answers from another port',
      () => ({ fromOtherPort: true, answers: [address('a.example', '192.0.2.66')] }),
    ],
    ['asks back', () => ({ response: false })],
  ])('are asked of the second one when the first %s', async (_, script) => {
    const server = await serve({ recursors: [first, second], recursorTimeout: 600 });
    first.script(script);
    second.script(({ name }) => ({ answers: [address(name, '192.0.2.2')] }));
    expect(data(await ask(server, 'a.example'))).toEqual(['A 192.0.2.2']);
    expect(first.asked).toHaveLength(1);
  });

  test('fail when all recursors do', async () => {
    const server = await serve({ recursors: [first, second], recursorTimeout: 100 });
    expect(await ask(server, 'a.example')).toMatchObject({ rcode: 'SERVFAIL', flag_ra: true });
    expect(second.asked).toHaveLength(1);
  });

  test('are asked with a port and an id of their own each', async () => {
    first.script(({ name }) => ({ answers: [address(name, '192.0.2.1')] }));
    await Promise.all(Array.from({ length: 20 }, () => ask(server, 'a.example', 'A', 77)));
    expect(new Set(first.asked.map(({ port }) => port)).size).toBeGreaterThan(15);
    expect(new Set(first.asked.map(({ id }) => id)).size).toBeGreaterThan(15);
  });

  test('so do reverse look-ups of addresses that nobody has; known ones are the registry’s', async () => {
    first.script(({ name }) => ({ answers: [{ type: 'PTR', name, ttl: 60, data: 'elsewhere.example' }] }));
    expect(data(await ask(server, '9.2.0.192.in-addr.arpa', 'PTR'))).toEqual(['PTR elsewhere.example']);
    expect(data(await ask(server, '1.0.83.10.in-addr.arpa', 'PTR'))).toEqual(['PTR web.service.dc1.consul']);
    expect(first.asked).toHaveLength(1);
  });

  test('names of the zone are not asked of anybody, and say that others could be', async () => {
    expect(await ask(server, 'none.service.consul')).toMatchObject({ rcode: 'NXDOMAIN', flag_ra: true });
    expect(await ask(server, 'web.service.consul')).toMatchObject({ rcode: 'NOERROR', flag_ra: true });
    expect(first.asked).toEqual([]);
  });

  test('over TCP are asked over TCP, in turn with what else the connection asks', async () => {
    first.script(({ name }) => ({ answers: [address(name, '192.0.2.1')] }));
    const socket = connect({ host: '127.0.0.1', port: server.port });
    cleanups.push(() => socket.destroy());
    const replies: DecodedPacket[] = [];
    const reader = new MessageReader((message) => replies.push(decode(message)));
    socket.on('data', (chunk) => reader.push(chunk));
    const queries = ['a.example', 'web.service.consul', 'b.example'].map((name, id) =>
      frame(encode({ type: 'query', id, questions: [{ name, type: 'A' }] })),
    );
    socket.write(Buffer.concat(queries));
    await eventually(() => expect(replies).toHaveLength(3));
    expect(replies.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(first.asked.map(({ transport }) => transport)).toEqual(['tcp', 'tcp']);
  });

  test('are failed at once when too many are being asked already', async () => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    cleanups.push(() => socket.close());
    let failed = 0;
    socket.on('message', (message: Buffer) => {
      if ((message.readUInt16BE(2) & 0xf) === 2) failed += 1;
    });
    for (let id = 0; id < 600; id++) {
      socket.send(
        encode({ type: 'query', id, questions: [{ name: 'a.example', type: 'A' }] }),
        server.port,
        '127.0.0.1',
      );
    }
    await eventually(() => expect(failed).toBe(600 - 512));
  });

  test('are let go of when the server stops', async () => {
    const server = await serve({ recursors: [first], recursorTimeout: 60_000 });
    const asked = ask(server, 'slow.example');
    asked.catch(() => {});
    await eventually(() => expect(first.asked).toHaveLength(1));
    await server.stop(systemClock.now());
  });
});

describe('instances with host names', () => {
  test('are a CNAME with what the recursor knows, its TTLs ours; A is asked for whatever was', async () => {
    const outside = await nameserver();
    outside.script(({ name }) => ({
      answers: [cname(name, 'b.example', 900), address('b.example', '192.0.2.1', 900)],
    }));
    const server = await serve({ recursors: [outside], serviceTtls: { far: 7 } });
    const said = await ask(server, 'far.service.consul');
    expect(data(said)).toEqual(['CNAME far.example.net', 'CNAME b.example', 'A 192.0.2.1']);
    expect(said.answers?.map((record) => ('ttl' in record ? record.ttl : 0))).toEqual([7, 7, 7]);
    expect(data(await ask(server, 'far.service.consul', 'AAAA'))).toHaveLength(3);
    expect(outside.asked.map(({ type }) => type)).toEqual(['A', 'A']);
    const srv = await ask(server, 'far.service.consul', 'SRV');
    expect(srv.additionals?.map(({ type }) => type)).toEqual(['CNAME', 'A']);
  });

  test('are a bare CNAME where the recursor fails, and resolved at home within the zone', async () => {
    const outside = await nameserver();
    outside.script(() => ({ rcode: 'SERVFAIL' }));
    const server = await serve({ recursors: [outside] });
    expect(data(await ask(server, 'far.service.consul'))).toEqual(['CNAME far.example.net']);
    expect(data(await ask(server, 'near.service.consul'))).toEqual([
      'CNAME web.service.consul',
      'A 10.83.0.1',
    ]);
    expect(outside.asked).toHaveLength(1);
  });
});

describe('without recursors', () => {
  test('other names are refused, unknown addresses fail, and recursion is not available', async () => {
    const server = await serve({});
    expect(await ask(server, 'a.example')).toMatchObject({ rcode: 'REFUSED', flag_ra: false });
    expect(await ask(server, '9.2.0.192.in-addr.arpa', 'PTR')).toMatchObject({ rcode: 'SERVFAIL' });
    expect(await ask(server, 'web.service.consul')).toMatchObject({ flag_ra: false });
  });

  test('beyond Consul: unknown addresses do not exist, and recursion is said to be available', async () => {
    const server = await serve({ ptrNxdomain: true, recursionAvailable: true });
    expect(await ask(server, '9.2.0.192.in-addr.arpa', 'PTR')).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(await ask(server, 'web.service.consul')).toMatchObject({ flag_ra: true });
  });

  test('a second zone has the same names, and answers in the first', async () => {
    const server = await serve({ altDomain: 'lab.example' });
    const said = await ask(server, 'Web.service.lab.example', 'SRV');
    expect(said.answers).toMatchObject([
      { name: 'Web.service.lab.example', data: { target: '0a530001.addr.dc1.consul' } },
    ]);
    expect(await ask(server, 'none.service.lab.example')).toMatchObject({
      rcode: 'NXDOMAIN',
      authorities: [{ name: 'consul' }],
    });
    expect(data(await ask(server, '0a530001.addr.dc1.lab.example'))).toEqual(['A 10.83.0.1']);
  });
});
