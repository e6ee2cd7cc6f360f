// A whole Vane that can be counted from within: node --expose-gc drill-app.ts CONFIG, as a child with a channel.
// Says `{ ports }` once it runs, and answers `count` and, once it has stopped, `stop` with what it holds, and `heap`
// with the megabytes that are left when everything that nobody needs was collected.
import { App } from '../../src/app.ts';
import { parseConfig } from '../../src/config/load.ts';
import { silentLog } from '../../src/core/log.ts';

/** Sockets, servers, timers and the like, by kind. */
export type Resources = Readonly<Record<string, number>>;

const [, , text = ''] = process.argv;
const config = parseConfig([{ file: 'drill.yaml', text }], {
  env: {},
  hostname: 'drill',
  cwd: process.cwd(),
});
const app = await App.start(config, {
  version: '0',
  log: silentLog,
  access: () => {},
  accessDropped: () => 0,
});

process.on('message', (message) => {
  if (message === 'count') process.send?.(count());
  if (message === 'heap') process.send?.(heap());
  if (message === 'stop') void stop();
});
process.send?.({ ports: app.ports });

function count(): Resources {
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return resources;
}

function heap(): number {
  // What the first run lets go of by finalizers is collected by the next.
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function stop(): Promise<void> {
  await app.stop();
  // What was closed just now is counted until the event loop has come round.
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  process.send?.(count());
  // With the channel closed nothing may keep this process alive.
  process.disconnect();
}
