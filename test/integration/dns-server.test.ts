import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { decode, encode, type RecordType } from 'dns-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import { type LookupType, NameserverClient } from '../../src/dns/client.ts';
import { frame, MessageReader } from '../../src/dns/framing.ts';
import type { DnsServerOptions } from '../../src/dns/listener.ts';
import { createDnsServer, type DnsServer } from '../../src/dns/server.ts';
import type { CatalogReader } from '../../src/registry/reader.ts';
import { catalogOf } from '../helpers/catalog-rows.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const rows = Array.from({ length: 40 }, (_, i) => ({
  service: 'web',
  address: `10.83.0.${i}`,
  port: 8000 + i,
}));

async function serve(
  config: { host?: string; reader?: CatalogReader; log?: Log; options?: Partial<DnsServerOptions> } = {},
): Promise<DnsServer> {
  const server = createDnsServer({
    bind: { host: config.host ?? '127.0.0.1', port: 0 },
    reader: config.reader ?? catalogOf(rows),
    domain: 'consul',
    log: config.log ?? silentLog,
    clock: systemClock,
    ...(config.options ? { options: config.options } : {}),
  });
  await server.start();
  cleanups.push(() => server.stop(systemClock.now()));
  return server;
}

function query(name: string, type: RecordType = 'A', id = 1): Buffer {
  return encode({ type: 'query', id, questions: [{ name, type }] });
}

/** The first datagram that comes back. */
async function askUdp(port: number, message: Buffer, host = '127.0.0.1'): Promise<Buffer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', resolve);
      socket.send(message, port, host);
    });
  } finally {
    socket.close();
  }
}

/** A connection and every message that has come over it. */
async function dial(port: number): Promise<{ socket: Socket; messages: Buffer[]; closed: () => boolean }> {
  const socket = connect({ port, host: '127.0.0.1' });
  const messages: Buffer[] = [];
  const reader = new MessageReader((message) => messages.push(message));
  let closed = false;
  socket.on('data', (chunk) => reader.push(chunk));
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, messages, closed: () => closed };
}

/** Waits until a value that has left 0 keeps unchanged for a while. */
async function standsStill(value: () => number): Promise<void> {
  let times = 0;
  let last = 0;
  await eventually(() => {
    const now = value();
    times = now === last && now > 0 ? times + 1 : 0;
    last = now;
    expect(times).toBeGreaterThan(20);
  }, 20_000);
}

describe('the DNS server', () => {
  test('answers over UDP and TCP on one port', async () => {
    const { port } = await serve();
    expect(port).toBeGreaterThan(0);
    expect(decode(await askUdp(port, query('web.service.consul'))).answers).toHaveLength(3);
    const { socket, messages } = await dial(port);
    socket.write(frame(query('web.service.consul')));
    await eventually(() => expect(messages).toHaveLength(1));
    expect(messages[0] && decode(messages[0]).answers).toHaveLength(40);
  });

  test('answers over IPv6, or says that the machine has none', async () => {
    const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
      all?.some((one) => one.address === '::1'),
    );
    if (!hasIpv6) {
      await expect(serve({ host: '::1' })).rejects.toMatchObject({ code: 'BIND_FAILED' });
      return;
    }
    const server = await serve({ host: '::1' });
    expect(decode(await askUdp(server.port, query('web.service.consul'), '::1')).answers).toHaveLength(3);
  });

  needs('dig', 'dnsutils').test('is understood by dig', async () => {
    const { port } = await serve();
    const run = async (...args: string[]) => {
      const dig = spawn('dig', ['@127.0.0.1', '-p', String(port), '+short', ...args]);
      let out = '';
      dig.stdout.on('data', (chunk) => {
        out += chunk;
      });
      await new Promise((resolve) => dig.on('close', resolve));
      return out.trim().split('\n');
    };
    expect(await run('web.service.consul', 'SRV', '+bufsize=4096')).toHaveLength(40);
    expect(await run('+tcp', 'web.service.consul')).toHaveLength(40);
    expect(await run('0a530001.addr.consul')).toEqual(['10.83.0.1']);
  });

  test('is understood by the client: instances with their addresses, and names without any', async () => {
    const { port } = await serve();
    const client = new NameserverClient(
      {
        id: 'self',
        nameservers: [{ name: 'self', transport: 'udp', host: '127.0.0.1', port }],
        resolveRetries: 3,
        timeoutRetry: 5_000,
        acceptedPayloadSize: 4_096,
      },
      systemClock,
    );
    cleanups.push(() => client.close());
    const ask = (name: string, type: LookupType) => client.query(name, type, new AbortController().signal);
    const reply = await ask('_web._tcp.service.consul', 'SRV');
    if (reply.rcode !== 'NOERROR') throw new Error(reply.rcode);
    const addresses = new Map(reply.additionals.map(({ name, address }) => [name, address]));
    const found = reply.records.map(
      (record) => record.type === 'SRV' && `${addresses.get(record.target)}:${record.port}`,
    );
    expect(found.sort()).toEqual(rows.map((row) => `${row.address}:${row.port}`).sort());
    expect(await ask('nope.service.consul', 'SRV')).toEqual({ rcode: 'NXDOMAIN' });
    expect(await ask('web.service.consul', 'AAAA')).toEqual({
      rcode: 'NOERROR',
      records: [],
      additionals: [],
    });
  });

  test('answers many queries of one connection in order, however they are cut', async () => {
    const { port } = await serve();
    const { socket, messages } = await dial(port);
    const stream = Buffer.concat(
      Array.from({ length: 500 }, (_, i) => frame(query('web.service.consul', i % 2 ? 'SRV' : 'A', i))),
    );
    for (let at = 0; at < stream.length; at += 999) socket.write(stream.subarray(at, at + 999));
    await eventually(() => expect(messages).toHaveLength(500));
    expect(messages.map((message) => message.readUInt16BE(0))).toEqual(
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  test('a peer that does not read stops being answered, and gets everything once it does', async () => {
    const catalog = catalogOf(rows);
    let answered = 0;
    const counting: CatalogReader = {
      ...catalog,
      entries(service) {
        answered += 1;
        return catalog.entries(service);
      },
    };
    const { port } = await serve({ reader: counting });
    const { socket, messages } = await dial(port);
    socket.pause();
    const total = 10_000;
    for (let i = 0; i < total; i++) socket.write(frame(query('web.service.consul', 'SRV', i)));
    // The replies, some 25 MB, are more than the buffers on the way hold: at some point the count stands still.
    await standsStill(() => answered);
    expect(answered).toBeLessThan(total);
    // From then on nothing more is read either.
    const filler = frame(Buffer.alloc(65_535));
    const fillers = 600;
    for (let i = 0; i < fillers; i++) socket.write(filler);
    await standsStill(() => socket.writableLength);
    expect(socket.writableLength).toBeGreaterThan(0);
    socket.resume();
    await eventually(() => expect(messages).toHaveLength(total + fillers), 20_000);
  });

  test('junk is survived, and never answered with more than it deserves', async () => {
    const { port } = await serve();
    const socket = createSocket('udp4');
    cleanups.push(() => socket.close());
    const reply = query('web.service.consul');
    reply.writeUInt16BE(0x8000, 2);
    const answers: Buffer[] = [];
    socket.on('message', (message) => answers.push(message));
    for (const junk of [Buffer.alloc(0), Buffer.alloc(5), reply, Buffer.alloc(600, 0xff)])
      socket.send(junk, port, '127.0.0.1');
    socket.send(Buffer.from('0007000000010000000000000361', 'hex'), port, '127.0.0.1');
    socket.send(query('web.service.consul', 'A', 9), port, '127.0.0.1');
    await eventually(() => expect(answers.some((answer) => answer.readUInt16BE(0) === 9)).toBe(true));
    expect(answers.map((answer) => [answer.readUInt16BE(0), (answer[3] ?? 0) & 0x0f])).toEqual([
      [7, 1],
      [9, 0],
    ]);
  });

  test.each([
    ['a message too short to be one', frame(Buffer.alloc(4))],
    ['a reply', frame(Buffer.concat([Buffer.from([0, 1, 0x80, 0]), Buffer.alloc(8)]))],
  ])('%s ends the connection', async (_, bytes) => {
    const { port } = await serve();
    const { socket, closed } = await dial(port);
    socket.write(bytes);
    await eventually(() => expect(closed()).toBe(true));
  });

  test('a silent connection is closed, a half-sent query does not keep it open', async () => {
    const { port } = await serve({ options: { tcpIdleTimeout: 50 } });
    const silent = await dial(port);
    const slow = await dial(port);
    const dripping = setInterval(() => slow.socket.write(Buffer.alloc(1)), 10);
    cleanups.push(() => clearInterval(dripping));
    slow.socket.write(Buffer.from([0xff, 0xff]));
    await eventually(() => expect([silent.closed(), slow.closed()]).toEqual([true, true]));
  });

  test('one connection too many replaces the one that was silent the longest', async () => {
    const { port } = await serve({ options: { tcpMaxConnections: 2 } });
    const first = await dial(port);
    const second = await dial(port);
    const ask = async ({ socket, messages }: typeof first) => {
      const before = messages.length;
      socket.write(frame(query('web.service.consul')));
      await eventually(() => expect(messages.length).toBe(before + 1));
    };
    await ask(second);
    await ask(first);
    const third = await dial(port);
    await eventually(() => expect(second.closed()).toBe(true));
    await ask(first);
    await ask(third);
  });

  test('what goes wrong inside is SERVFAIL and one log line, not one for each query', async () => {
    const lines: object[] = [];
    const log: Log = { ...silentLog, error: (fields) => lines.push(fields) };
    const broken: CatalogReader = {
      ...catalogOf(rows),
      entries: () => {
        throw new Error('catalog is broken');
      },
    };
    const { port } = await serve({ reader: broken, log });
    for (let i = 0; i < 3; i++) {
      expect(decode(await askUdp(port, query('web.service.consul')))).toMatchObject({
        rcode: 'SERVFAIL',
        questions: [{ name: 'web.service.consul' }],
      });
    }
    expect(lines).toEqual([{ error: 'catalog is broken', transport: 'udp' }]);
  });

  test('an address that is taken is said, and nothing is held', async () => {
    const taken = createSocket('udp4');
    cleanups.push(() => taken.close());
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
    const { port } = taken.address();
    const server = createDnsServer({
      bind: { host: '127.0.0.1', port },
      reader: catalogOf([]),
      domain: 'consul',
      log: silentLog,
      clock: systemClock,
    });
    await expect(server.start()).rejects.toMatchObject({
      code: 'BIND_FAILED',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await server.stop(systemClock.now());
    // Not by listening there oneself: somebody's outgoing connection may have been given the port meanwhile.
    const refused = new Promise((resolve) => {
      const tcp = connect({ port, host: '127.0.0.1' }, () => resolve('somebody listens'));
      cleanups.push(() => tcp.destroy());
      tcp.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(await refused).toBe('ECONNREFUSED');
  });

  test('stops at once when nobody is owed a reply, and twice', async () => {
    const server = await serve();
    const { socket, messages, closed } = await dial(server.port);
    socket.write(frame(query('web.service.consul')));
    await eventually(() => expect(messages).toHaveLength(1));
    const started = systemClock.now();
    await server.stop(started + 20_000);
    await server.stop(started + 20_000);
    expect(systemClock.now() - started).toBeLessThan(10_000);
    await eventually(() => expect(closed()).toBe(true));
  });
});
