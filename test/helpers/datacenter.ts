import { createSocket } from 'node:dgram';
import type { Server } from 'node:net';
import { type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';
import { App } from '../../src/app.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type LogLine, recordedLog } from './registry.ts';

/** One Vane that is a datacenter of its own. */
export interface DatacenterUnderTest {
  readonly app: App;
  readonly base: string;
  readonly stats: string;
  readonly lines: readonly LogLine[];
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<DatacenterAnswer>;
  dns(name: string, type?: RecordType, payload?: number): Promise<DecodedPacket & { rcode?: string }>;
  reload(registry: string): Promise<void>;
  stop(): Promise<void>;
}

export interface DatacenterAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/**
 * @param registry further keys of `registry`, in flow style
 * @param port of its HTTP API; 0: any
 * @param sections further ones
 */
export async function startDatacenter(
  datacenter: string,
  registry = '',
  port = 0,
  sections = '',
): Promise<DatacenterUnderTest> {
  const read = (keys: string) =>
    parseConfig(
      [
        {
          file: 'vane.yaml',
          text: [
            `global: { node: "lb-${datacenter}", datacenter: ${datacenter}, hard-stop-after: 2s,`,
            '  stats: { bind: "127.0.0.1:0" } }',
            `registry: { http: "127.0.0.1:${port}", dns: "127.0.0.1:0", ${keys} }`,
            sections,
          ].join('\n'),
        },
      ],
      { env: {}, hostname: 'lb', cwd: '/' },
    );
  const { log, lines } = recordedLog();
  const app = await App.start(read(registry), {
    version: '0.0.0',
    log,
    access: () => {},
    accessDropped: () => 0,
  });
  const base = `http://127.0.0.1:${app.ports.registryHttp}`;
  return {
    app,
    base,
    lines,
    stats: `http://127.0.0.1:${app.ports.stats}`,
    call: async (method, path, body, headers = {}) => {
      const payload = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
      const answer = await fetch(base + path, { method, headers, body: payload });
      const text = await answer.text();
      const isJson = answer.headers.get('content-type') === 'application/json';
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    dns: (name, type = 'A', payload) => ask(app.ports.registryDns ?? 0, name, type, payload),
    reload: async (keys) => void (await app.reload(read(keys))),
    stop: () => app.stop(),
  };
}

async function ask(port: number, name: string, type: RecordType, payload: number | undefined) {
  const socket = createSocket('udp4');
  try {
    const reply = await new Promise<Buffer>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', resolve);
      const opt =
        payload === undefined
          ? []
          : [{ type: 'OPT', name: '.', udpPayloadSize: payload, flags: 0, options: [] } as never];
      socket.send(
        encode({ type: 'query', id: 7, questions: [{ name, type }], additionals: opt }),
        port,
        '127.0.0.1',
      );
    });
    return decode(reply);
  } finally {
    socket.close();
  }
}

/** Starts datacenters for one test file, and stops what is left of them after each test. */
export function datacentersOfTest() {
  const cleanups: (() => unknown)[] = [];
  const start = async (datacenter: string, registry = '', port = 0, sections = '') => {
    const one = await startDatacenter(datacenter, registry, port, sections);
    cleanups.push(() => one.stop());
    return one;
  };
  return {
    start,
    /** dc1, which knows dc2; and dc2. `keys` are further ones of the registry of dc1. */
    async two(keys = '') {
      const dc2 = await start('dc2');
      const dc1 = await start('dc1', `datacenters: { dc2: { http: "${dc2.base}", timeout: 1s } } ${keys}`);
      return { dc1, dc2 };
    },
    /** An empty dc2 where another one was. */
    again: (dc2: DatacenterUnderTest) => start('dc2', '', Number(new URL(dc2.base).port)),
    /** Done in reverse order after the test. */
    atEnd: (cleanup: () => unknown) => void cleanups.push(cleanup),
    async clean() {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    },
  };
}

export async function register(dc: DatacenterUnderTest, service: object): Promise<void> {
  const { status, text } = await dc.call('PUT', '/v1/agent/service/register', service);
  if (status !== 200) throw new Error(`${status} ${text}`);
}

/** Listens on a free loopback port until the test is over. */
export async function listening(server: Server, atEnd: (cleanup: () => unknown) => void): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
