import { KEEP_ALIVE, oneServer } from './requests.ts';
import type { Scenario } from './scenario.ts';
import { underLoad, wrk } from './under-load.ts';

export const workers: Scenario = {
  name: 'workers',
  title: 'Two workers',
  how: 'Keep-alive GET on two cores, with one worker and with two.',
  compared: 'perSecond',
  peers: ['haproxy', 'vane', 'vane-2-workers'],
  quickPeers: ['vane', 'vane-2-workers'],
  twoCores: true,
  task: (origin) => ({ ...oneServer(origin), workers: true }),
  load: (target, bench, seconds) =>
    underLoad(target, () => wrk(target, bench, seconds, { ...KEEP_ALIVE, connections: 128, threads: 2 })),
};
