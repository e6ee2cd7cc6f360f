import { createRequire } from 'node:module';
import type { Cluster, Redis } from 'ioredis';
import type { RedisAddress } from '../../../config/runtime/store.ts';

export type RedisClient = Redis | Cluster;

const require = createRequire(import.meta.url);

const CONNECT_TIMEOUT_MS = 2_000;
/** Of attempts to connect; jittered, so that the nodes do not all come back in the same moment. */
const SHORTEST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1_000;

/**
 * A connection that comes back by itself until it is disconnected. Commands fail at once while it is away: whether one
 * is worth keeping is for its sender to decide.
 *
 * @param commandTimeout ms, from sending a command to its answer
 */
export function connectRedis(
  address: RedisAddress,
  name: string,
  commandTimeout: number,
  random: () => number,
): RedisClient {
  const { hosts, username, password, tls } = address;
  const wait = (attempt: number) => {
    const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** Math.min(attempt, 10));
    return longest * (0.5 + random() / 2);
  };
  const common = {
    connectionName: name,
    commandTimeout,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // What was under way when the connection broke may or may not have happened: nothing is sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tls.ca === undefined ? {} : { ca: tls.ca } } : {}),
  };
  const [first] = hosts;
  // Loaded with the first connection: most Vanes have no Redis, and it takes some 10 MB of memory.
  const { Cluster, Redis }: typeof import('ioredis') = require('ioredis');
  switch (address.kind) {
    case 'cluster':
      return new Cluster([...hosts], {
        redisOptions: common,
        enableOfflineQueue: false,
        clusterRetryStrategy: wait,
        lazyConnect: true,
      });
    case 'sentinel':
      return new Redis({
        ...common,
        ...ofServer(address.database, wait),
        sentinels: [...hosts],
        name: address.master,
        sentinelRetryStrategy: wait,
        ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
      });
    case 'single':
      return new Redis({ ...common, ...ofServer(address.database, wait), ...first });
  }
}

/** Ends connections and makes new ones: nothing may come through one that still looks open. */
export function connectAnew(...clients: readonly RedisClient[]): void {
  for (const client of clients) client.disconnect(true);
}

function ofServer(db: number, retryStrategy: (attempt: number) => number) {
  return {
    db,
    retryStrategy,
    enableOfflineQueue: false,
    lazyConnect: true,
    // A master that a Sentinel has made a replica: the connection is to go to the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}
