import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { needs } from '../helpers/needs.ts';
import { startProgram } from '../helpers/program.ts';
import { ROOT } from '../helpers/source-tree.ts';

// haproxy-examples/from-haproxy: one site in HAProxy's file and in Vane's. To the same requests both say the same.

const EXAMPLE = join(ROOT, 'haproxy-examples/from-haproxy');
/** The ports that the files name; the test gives each a free one. */
const PORTS: readonly number[] = [8081, 8082, 8083, 8084, 8404, 9001, 9002, 9003];
const WITHIN_MS = 20_000;

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a client sees, without what differs from one run to the next. */
interface Seen {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookie: string | undefined;
  /** Which server it was, and what of the request came to it; undefined where the load balancer answered. */
  readonly server: string | undefined;
  readonly forwarded: string | undefined;
  readonly site: string | undefined;
}

needs('haproxy', 'haproxy').test(
  'HAProxy and Vane serve the site alike, and go on alike when servers fail',
  async () => {
    const free = await freeAddresses(PORTS.length);
    const port = (named: number) => Number(free[PORTS.indexOf(named)]?.split(':')[1]);
    const folder = mkdtempSync(join(tmpdir(), 'vane-from-haproxy-'));
    const servers = await Promise.all([9001, 9002, 9003].map((named) => serve(`s${named}`, port(named))));
    try {
      for (const name of ['haproxy.cfg', 'vane.yaml']) {
        const written = readFileSync(join(EXAMPLE, name), 'utf8');
        writeFileSync(
          join(folder, name),
          written.replace(/:(\d{4})\b/g, (_, named: string) => `:${port(Number(named))}`),
        );
      }
      const vaneFile = join(folder, 'vane.yaml');
      await using vane = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', vaneFile]);
      const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
      const file = join(folder, 'haproxy.cfg');
      await using haproxy = startProgram('/usr/bin/env', ['haproxy', '-db', '-f', file], { PATH: path });
      const ask = (asked: Asked) => Promise.all([8081, 8083].map((named) => see(port(named), asked)));
      await eventually(async () => {
        const [one, other] = await ask({ path: '/ping' });
        expect([one?.status, other?.status], `${haproxy.output()}${vane.output()}`).toEqual([200, 200]);
      }, WITHIN_MS);

      const fixed: readonly Asked[] = [
        { path: '/ping' },
        { path: '/a?b=c', headers: { Host: 'OLD.example.org' } },
        { path: '/admin/x' },
        { path: '/admin' },
        { method: 'TRACE', path: '/' },
      ];
      for (const asked of fixed) {
        const [one, other] = await ask(asked);
        expect(other, asked.path).toEqual(one);
        expect(one?.server, asked.path).toBeUndefined();
      }
      for (const path of ['/', '/api/x', '/x.css', '/x.css?v=1']) {
        const [one, other] = await ask({ path });
        for (const seen of [one, other]) {
          expect(seen?.status, path).toBe(200);
          expect(seen?.forwarded, path).toBe('127.0.0.1');
          expect(seen?.site, path).toBe('www');
          expect(['s9001', 's9002']).toContain(seen?.server);
        }
        expect(one?.cookie !== undefined, path).toBe(path === '/');
        expect(other?.cookie !== undefined, path).toBe(path === '/');
      }
      for (const [value, server] of [
        ['one', 's9001'],
        ['two', 's9002'],
      ]) {
        const seen = await ask({ path: '/', headers: { Cookie: `SRV=${value}` } });
        expect(seen.map((each) => each.server)).toEqual([server, server]);
        expect(seen.map((each) => each.cookie)).toEqual([undefined, undefined]);
      }
      for (const named of [8082, 8084]) expect((await see(port(named), { path: '/' })).server).toBe('s9001');

      // One server is gone: its clients get another, and a new cookie.
      await stop(servers[0]);
      await eventually(async () => {
        const seen = await ask({ path: '/', headers: { Cookie: 'SRV=one' } });
        expect(seen.map((each) => each.server)).toEqual(['s9002', 's9002']);
        expect(seen.map((each) => each.cookie)).toEqual(['two', 'two']);
      }, WITHIN_MS);
      // All but the backup are: `api` has none left.
      await stop(servers[1]);
      await eventually(async () => {
        const seen = await ask({ path: '/' });
        expect(seen.map((each) => each.server)).toEqual(['s9003', 's9003']);
      }, WITHIN_MS);
      const left = await ask({ path: '/api/x' });
      expect(left.map(({ status }) => status)).toEqual([503, 503]);
    } finally {
      await Promise.all(servers.map(stop));
      rmSync(folder, { recursive: true, force: true });
    }
  },
  90_000,
);

async function serve(name: string, port: number): Promise<Server> {
  const server = createServer((incoming, response) => {
    const { 'x-forwarded-for': forwarded = '', 'x-site': site = '' } = incoming.headers;
    response.setHeader('x-server', name);
    response.setHeader('x-got', `${forwarded};${site}`);
    response.end('ok');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function stop(server: Server | undefined): Promise<void> {
  if (!server?.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

async function see(port: number, { method = 'GET', path, headers = {} }: Asked): Promise<Seen> {
  const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  asked.end();
  const [answer] = await once(asked, 'response');
  await text(answer);
  const [forwarded, site] = String(answer.headers['x-got'] ?? '').split(';');
  const [cookie = ''] = answer.headers['set-cookie'] ?? [];
  return {
    status: answer.statusCode,
    location: answer.headers.location,
    cookie: /^SRV=([^;]*)/.exec(cookie)?.[1],
    server: answer.headers['x-server'],
    forwarded: forwarded || undefined,
    site: site || undefined,
  };
}
