import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type AppUnderTest, startApp } from '../../helpers/app.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { needs } from '../../helpers/needs.ts';
import { startProgram } from '../../helpers/program.ts';
import { RawClient, values } from '../../helpers/raw-http.ts';
import { startWeb } from '../../helpers/web.ts';

/** What both are told as a backend's `cookie`. */
const COOKIES = [
  'SRV insert',
  'SRV insert indirect',
  'SRV insert indirect nocache',
  'SRV insert nocache httponly secure domain .x.example attr SameSite=Lax',
  'SRV insert indirect postonly',
  'SRV insert indirect preserve',
  'SRV insert indirect maxidle 60',
  'SRV insert indirect maxidle 60 maxlife 3600',
  'SRV rewrite',
  'SRV prefix',
  'SRV prefix indirect',
];

/** What clients bring, and what servers say themselves. */
const BROUGHT = [
  undefined,
  'a=1',
  'SRV=s1',
  'SRV=s2',
  'a=1; SRV=s1; b=2',
  'SRV=s1; b=2',
  'SRV=unknown; b=2',
  'SRV=',
  'XSRV=s1; SRVX=s2',
  'SRV=s1~theirs; b=2',
  'SRV=s1|AAAAA',
  'SRV=s2|AAAAA|AAAAA',
];
const PATHS = ['/plain', '/sets', '/sets-other'];
const METHODS = ['GET', 'POST'];

/** One server: tells what cookies it was sent. */
const origin = (name: string) =>
  startWeb((request, response) => {
    response.setHeader('x-server', name);
    // HAProxy takes nothing for cacheable that has neither this nor a date.
    response.setHeader('etag', '"1"');
    response.setHeader('x-cookies', request.headers.cookie ?? '(none)');
    const own = request.url === '/sets' ? ['SRV=own; Path=/x; HttpOnly', 'other=1'] : ['other=2; Path=/'];
    if (request.url !== '/plain') response.setHeader('set-cookie', own);
    response.end('ok');
  });

function haproxyConfig(places: readonly string[], servers: readonly number[]): string {
  const sections = COOKIES.map(
    (cookie, i) => `
frontend f${i}
  bind ${places[i]}
  default_backend b${i}
backend b${i}
  balance roundrobin
  cookie ${cookie}
${servers.map((port, n) => `  server s${n + 1} 127.0.0.1:${port} cookie s${n + 1}`).join('\n')}
`,
  );
  return `
global
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
${sections.join('')}`;
}

function vaneConfig(lane: string, servers: readonly number[]): string {
  const frontends = COOKIES.map(
    (_, i) =>
      `  f${i}: { bind: "127.0.0.1:0", default_backend: b${i}, option: [httplog, "http-lane ${lane}"] }`,
  );
  const backends = COOKIES.map((cookie, i) => {
    const list = servers.map((port, n) => `{ address: "127.0.0.1:${port}", cookie: s${n + 1} }`);
    return `  b${i}: { cookie: "${cookie}", servers: [${list.join(', ')}] }`;
  });
  return `frontends:\n${frontends.join('\n')}\nbackends:\n${backends.join('\n')}\n`;
}

/** What clients and servers see of one request; which server it was is left out where nobody has said it. */
async function exchange(port: number, method: string, path: string, cookie: string | undefined, mode = '') {
  const client = await RawClient.connect(port);
  const field = cookie === undefined ? '' : `Cookie: ${cookie}\r\n`;
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${field}${length}Connection: close\r\n\r\n`);
  const answer = await client.answer(method);
  client.socket.destroy();
  const [server = ''] = values(answer, 'x-server');
  const told = values(answer, 'set-cookie').map((line) =>
    line.replace(new RegExp(`=${server}\\b`), '=(this server)').replace(/\|[\w+/]{5}/g, '|(date)'),
  );
  const good = mode === 'prefix' ? /(?:^| )SRV=s\d(?:[~;]|$)/ : /(?:^| )SRV=s\d(?:[|;]|$)/;
  const stays = good.test(cookie ?? '') ? server : '(any)';
  return {
    line: answer.line,
    server: stays,
    seen: values(answer, 'x-cookies'),
    told,
    cache: values(answer, 'cache-control'),
  };
}

async function compare(lane: string): Promise<void> {
  const servers = await Promise.all([origin('s1'), origin('s2')]);
  onTestFinished(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const ports = servers.map(({ port }) => port);
  const places = await freeAddresses(COOKIES.length);
  const folder = mkdtempSync(join(tmpdir(), 'vane-sticky-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, haproxyConfig(places, ports));
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const program = startProgram('/usr/bin/env', ['haproxy', '-db', '-f', file], { PATH: path });
  onTestFinished(() => program[Symbol.asyncDispose]());
  const app: AppUnderTest = await startApp(vaneConfig(lane, ports));
  onTestFinished(() => app[Symbol.asyncDispose]());
  const theirs = places.map((place) => Number(place.split(':')[1]));
  const ours = COOKIES.map((_, i) => Number(new URL(app.frontend(`f${i}`)).port));
  await eventually(() => fetch(`http://127.0.0.1:${theirs[0]}/first`));
  expect(program.output()).not.toContain('ALERT');
  for (const [i, cookie] of COOKIES.entries()) {
    const mode = cookie.split(' ')[1];
    for (const method of METHODS) {
      for (const at of PATHS) {
        for (const brought of BROUGHT) {
          const what = `${cookie}: ${method} ${at} with ${brought}`;
          const [expected, found] = await Promise.all([
            exchange(theirs[i] ?? 0, method, at, brought, mode),
            exchange(ours[i] ?? 0, method, at, brought, mode),
          ]);
          expect({ what, ...found }).toEqual({ what, ...expected });
        }
      }
    }
  }
  // One line for each, in order: every client has waited for the end of its request.
  const lettersOf = (output: string) =>
    [...output.matchAll(/ f\d+ b\d+\/\S+ \S+ \d+ \d+ - - --(\S\S) .*? "(.*?)"/g)]
      .map(([, letters, request]) => `${letters} ${request}`)
      .filter((line) => !line.includes('/first'));
  const own = () =>
    app.access.flatMap((entry) =>
      entry.mode === 'http'
        ? [`${entry.cookies} ${entry.request?.method} ${entry.request?.target} HTTP/1.1`]
        : [],
    );
  const count = COOKIES.length * METHODS.length * PATHS.length * BROUGHT.length;
  await eventually(() => expect(lettersOf(program.output())).toHaveLength(count));
  await eventually(() => expect(own()).toEqual(lettersOf(program.output())));
}

for (const lane of ['direct', 'compat']) {
  const title = `clients and servers see of the ${lane} lane what they see of HAProxy`;
  needs('haproxy', 'haproxy').test(title, () => compare(lane), 60_000);
}
