import { LARGE_BYTES } from '../load/bodies.ts';
import type { LoadResult } from '../load/result.ts';
import type { Scenario } from './scenario.ts';
import { QUICK, SERVERS } from './scenario.ts';
import { underLoad, wrk } from './under-load.ts';

const CONNECTIONS = 4;
const PEERS = [...SERVERS, 'http-proxy-3', 'node-relay'];

export const download: Scenario = {
  name: 'download',
  title: 'Download of 10 MB',
  how: '4 connections, one GET of 10 MB after the other on each. Parts of answers count.',
  compared: 'perCpuSecond',
  peers: PEERS,
  quickPeers: QUICK,
  task: (origin) => ({ mode: 'http', servers: origin.fast.slice(0, 1) }),
  load: (target, bench, seconds) =>
    underLoad(target, async () =>
      inBodies(await wrk(target, bench, seconds, { connections: CONNECTIONS, path: '/large' })),
    ),
};

export const upload: Scenario = {
  name: 'upload',
  title: 'Upload of 10 MB',
  how: '4 connections, one POST of 10 MB after the other on each.',
  compared: 'perCpuSecond',
  peers: PEERS,
  quickPeers: QUICK,
  task: (origin) => ({ mode: 'http', servers: origin.thorough.slice(0, 1) }),
  load: (target, bench, seconds) =>
    underLoad(target, () =>
      wrk(target, bench, seconds, { connections: CONNECTIONS, postBytes: LARGE_BYTES }),
    ),
};

/** In a short time few bodies end, and those that have not are work done as well. */
function inBodies(result: LoadResult): LoadResult {
  return { ...result, done: (result.bytes ?? 0) / LARGE_BYTES };
}
