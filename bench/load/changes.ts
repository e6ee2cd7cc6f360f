// node changes.ts registry PORT RATE SECONDS SERVER…      registers and deregisters instances of `web` (Consul's API)
// node changes.ts socket PATH RATE SECONDS BACKEND/NAME…  takes servers out and in again (HAProxy's runtime API)
// One change after the other, RATE of them a second; prints how many were made. With 0 seconds: registers all, once.
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [kind, where = '', rate, seconds, ...servers] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Makes server number `index` come or go. */
function change(index: number, present: boolean): Promise<void> {
  const server = servers[index] ?? '';
  if (kind === 'socket') return command(`set server ${server} state ${present ? 'ready' : 'maint'}\n`);
  if (!present) return put(`/v1/agent/service/deregister/${idOf(server)}`, '');
  const [Address, port] = server.split(':');
  return put(
    '/v1/agent/service/register',
    JSON.stringify({ Name: 'web', ID: idOf(server), Address, Port: Number(port) }),
  );
}

function idOf(server: string): string {
  return `web-${server.replaceAll(/[.:]/g, '-')}`;
}

function put(path: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request(
      { host: '127.0.0.1', port: Number(where), method: 'PUT', path, agent, headers },
      (response) => {
        response.resume().once('end', resolve);
        if (response.statusCode !== 200) reject(new Error(`${path}: status ${response.statusCode}`));
      },
    );
    call.once('error', reject).end(body);
  });
}

/** One connection for each command, which HAProxy closes after its answer. */
function command(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(where, () => socket.write(line));
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('error', reject).once('close', () => {
      if (answer.trim() === '') resolve();
      else reject(new Error(answer.trim()));
    });
  });
}

let made = 0;
if (Number(seconds) === 0) {
  for (; made < servers.length; made++) await change(made, true);
}
const start = performance.now();
while (performance.now() - start < Number(seconds) * 1000) {
  const wait = start + (made * 1000) / Number(rate) - performance.now();
  if (wait > 0) await sleep(wait);
  // All go, one after the other, and then all come back.
  await change(made % servers.length, Math.floor(made / servers.length) % 2 === 1);
  made++;
}
// Leaves everything as it was found.
for (let index = 0; index < servers.length; index++) await change(index, true);
process.stdout.write(String(made), () => process.exit());
