// An instance that fails in the way it is told: node drill-faulty-instance.mjs RECORD NAME PORT
// Its own port answers requests; the other one, which it says, takes orders: GET /errors, /reset, /slow, /busy, /flap,
// /half, /well.
// What was executed is written to RECORD as drill-instance.mjs does.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const [file, name, port] = process.argv.slice(2);
const record = openSync(file, 'a');
const body = `${name}\n${'x'.repeat(2_000)}\nend\n`;
const SLOW_MS = 2_000;
const BUSY_MS = 100;
const FLAP_MS = 1_000;
const WORK_MS = 5;

let mode = 'well';
let flapping;
let asked = 0;

const server = createServer((request, response) => void answer(request, response));
server.on('connection', (socket) => {
  socket.on('error', () => {});
  if (mode === 'reset') socket.resetAndDestroy();
});
await listen();
const orders = createServer((request, response) => {
  order(request.url.slice(1));
  response.end(mode);
});
orders.listen(0, '127.0.0.1', () => console.log(`instance ${name} takes orders at ${orders.address().port}`));

function listen() {
  return new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
}

function order(next) {
  mode = next;
  clearInterval(flapping);
  if (mode === 'flap') flapping = setInterval(flap, FLAP_MS);
  else if (!server.listening) void listen();
  if (mode === 'flap') flap();
  if (mode === 'reset') server.closeAllConnections();
}

function flap() {
  if (!server.listening) void listen();
  else {
    server.close();
    server.closeAllConnections();
  }
}

async function answer(request, response) {
  response.on('error', () => {});
  const mine = mode;
  try {
    const sent = await text(request);
    if (request.method === 'POST') note('executed', request);
    await sleep(mine === 'slow' ? SLOW_MS : mine === 'busy' && request.url !== '/health' ? BUSY_MS : WORK_MS);
    if (mine === 'errors') {
      response.writeHead(500, { 'content-length': 0 }).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    const wanted = request.method === 'POST' ? new URL(request.url, 'http://i').searchParams.get('id') : '';
    if (mine === 'half' && request.url !== '/health' && asked++ % 2 === 0) {
      response.write(body.slice(0, 1_000), () => response.socket?.resetAndDestroy());
    } else if (sent !== wanted) response.destroy();
    else response.end(body);
  } catch {
    response.destroy();
  }
}

function note(event, { method, url }) {
  const ms = Number(process.hrtime.bigint()) / 1e6;
  writeSync(record, `${ms.toFixed(3)} ${name} ${event} ${method} ${url}\n`);
}
