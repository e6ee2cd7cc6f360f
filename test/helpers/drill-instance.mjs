// Instances of a service for the drills, one or many in one process; knows nothing of any registry.
// node drill-instance.mjs RECORD NAME[=HOST:PORT]…
// Every request is written to the file RECORD before it is answered, so that a process that was killed has told
// what it did: `MS NAME EVENT METHOD TARGET`, milliseconds of the machine's monotonic clock.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const FILLING = 'x'.repeat(2_000);

const [file, ...instances] = process.argv.slice(2);
const record = openSync(file, 'a');
const webSockets = new WebSocketServer({ noServer: true });

for (const instance of instances) {
  const [name, at = '127.0.0.1:0'] = instance.split('=');
  const [host, port] = at.split(':');
  const server = createServer((request, response) => answer(name, request, response));
  server.on('upgrade', (request, socket, head) => {
    note(name, 'upgrade', request);
    webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (message) => client.send(`${name}: ${message}`));
      client.on('error', () => {});
    });
  });
  server.listen(Number(port), host, () => {
    console.log(`instance ${name} at ${host}:${server.address().port}`);
  });
}

/** When instances had their first request for /warm: for a second from then on their caches are cold. */
const firstAsked = new Map();
const COLD_MS = 1_000;
const COLD_ANSWER_MS = 400;

function warmingUp(name) {
  const now = performance.now();
  const first = firstAsked.get(name) ?? now;
  firstAsked.set(name, first);
  return now - first < COLD_MS ? COLD_ANSWER_MS : 0;
}

/** /fast at once; /warm slowly while it is new; /late waits for `ms` and then answers; /slow answers one half, waits, and answers the other. */
async function answer(name, request, response) {
  note(name, 'start', request);
  response.on('error', () => {});
  const { pathname, searchParams } = new URL(request.url, 'http://instance');
  const body = `${name}\n${FILLING}\nend\n`;
  try {
    const sent = await text(request);
    // The whole request is here: from now on it counts as executed.
    if (request.method === 'POST') note(name, 'executed', request);
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    const ms = pathname === '/warm' ? warmingUp(name) : Number(searchParams.get('ms') ?? 0);
    const before = pathname === '/slow' ? body.length / 2 : 0;
    if (before > 0) response.write(body.slice(0, before));
    if (ms > 0) await sleep(ms);
    // Every POST but one to /empty brings its id as its body.
    const wanted = request.method === 'POST' && pathname !== '/empty' ? searchParams.get('id') : '';
    if (sent !== wanted) response.destroy();
    response.end(body.slice(before));
  } catch {
    // The client went away while it was sending.
    response.destroy();
  }
}

function note(name, event, { method, url }) {
  const ms = Number(process.hrtime.bigint()) / 1e6;
  writeSync(record, `${ms.toFixed(3)} ${name} ${event} ${method} ${url}\n`);
}
