import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { startWeb } from '../helpers/web.ts';

test('connections that wait to be accepted when Vane is stopped are served', async () => {
  await using web = await startWeb('hello');
  await using vane = await startApp(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ address: "127.0.0.1:${web.port}" }] } }
`);
  const clients = 40;
  const connected = new Int32Array(new SharedArrayBuffer(4));
  const port = Number(new URL(vane.frontend('www')).port);
  const thread = new Worker(new URL('../helpers/waiting-clients.ts', import.meta.url), {
    workerData: { port, clients, connected },
  });
  const told = once(thread, 'message');
  await once(thread, 'online');
  // Nothing is accepted while this thread waits.
  expect(Atomics.wait(connected, 0, 0, 20_000)).not.toBe('timed-out');
  const stopped = vane.app.stop();
  const [answered] = await told;
  await stopped;
  expect(answered).toBe(clients);
});
