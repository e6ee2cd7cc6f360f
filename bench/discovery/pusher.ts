// node pusher.ts PORT BACKENDS SERVERS RATE SECONDS
// Registers SERVERS instances of each of BACKENDS services over the Consul API. Then, once it has said so and been told
// to go on, makes RATE changes a second: instances go and come back, one after the other. Prints how many it made.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf, serviceOf } from './site.ts';

const [port = 0, backends = 0, servers = 0, rate = 0, seconds = 0] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

function put(path: string, body = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const call = request({ host: '127.0.0.1', port, method: 'PUT', path, agent, headers }, (answer) => {
      answer.resume().once('end', resolve);
      if (answer.statusCode !== 200) reject(new Error(`${path}: status ${answer.statusCode}`));
    });
    call.once('error', reject).end(body);
  });
}

function change(instance: number, present: boolean): Promise<void> {
  const service = serviceOf({ backends, servers }, Math.floor(instance / servers));
  const id = `${service}-${instance}`;
  if (!present) return put(`/v1/agent/service/deregister/${id}`);
  const where = addressOf(instance);
  const body = { Name: service, ID: id, Address: where.address, Port: where.port };
  return put('/v1/agent/service/register', JSON.stringify(body));
}

const all = backends * servers;
for (let i = 0; i < all; i += 8) {
  const some = Array.from({ length: Math.min(8, all - i) }, (_, k) => change(i + k, true));
  await Promise.all(some);
}
process.stdout.write('ready\n');
await new Promise((go) => process.stdin.once('data', go));
let made = 0;
const start = performance.now();
while (performance.now() - start < seconds * 1_000) {
  const wait = start + (made * 1_000) / rate - performance.now();
  if (wait > 0) await sleep(wait);
  // One of another service each time; each that has gone is back with the change after it.
  const instance = (Math.floor(made / 2) * (servers * 7 + 1)) % all;
  await change(instance, made % 2 === 1);
  made++;
}
process.stdout.write(`${made}\n`, () => process.exit());
