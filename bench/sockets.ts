import { once } from 'node:events';
import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from './processes.ts';

const READY_LIMIT_MS = 15_000;

/** A loopback port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until `port` answers a GET with a 2xx. Throws if the process ends before, or takes too long. */
export async function untilAnswers(
  port: number,
  process: Running,
  { path = '/', tls = false } = {},
): Promise<void> {
  const limit = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const status = await statusOf(port, path, tls);
    if (status >= 200 && status <= 299) return;
    if (process.hasEnded()) throw new Error(`it ended: ${process.said()}`);
    if (performance.now() > limit) throw new Error(`no answer (status ${status}): ${process.said()}`);
    await sleep(50);
  }
}

/** Status of `GET path`, 0 where there is no answer. */
function statusOf(port: number, path: string, tls: boolean): Promise<number> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      timeout: 1_000,
      rejectUnauthorized: false,
    };
    const request = (tls ? getTls : get)(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(0));
  });
}
