import type { WrkLoad } from '../load/wrk.ts';
import type { Origin } from '../origin.ts';
import type { Task } from '../peers/peer.ts';
import { QUICK, type Scenario, SERVERS } from './scenario.ts';
import { underLoad, wrk } from './under-load.ts';

/** One server that answers a GET with 36 bytes. */
export function oneServer(origin: Origin): Task {
  return { mode: 'http', servers: origin.fast.slice(0, 1) };
}

/** The load that everything else is a variation of. */
export const KEEP_ALIVE: WrkLoad = { connections: 64 };

type Of = Pick<Scenario, 'name' | 'title' | 'how'> & Partial<Scenario>;

/** A scenario that is a load of wrk. */
function byWrk(load: WrkLoad, of: Of): Scenario {
  return {
    compared: 'perCpuSecond',
    peers: SERVERS,
    quickPeers: QUICK,
    task: oneServer,
    load: (target, bench, seconds) => underLoad(target, () => wrk(target, bench, seconds, load)),
    ...of,
  };
}

export const keepAlive = byWrk(KEEP_ALIVE, {
  name: 'keep-alive',
  title: 'Keep-alive GET',
  how: '64 connections, one GET after the other on each, 36 bytes in the answer.',
  peers: [...SERVERS, 'vane-guarded', 'http-proxy-3', 'fastify-http-proxy', 'node-relay'],
  quickPeers: [...SERVERS, 'http-proxy-3', 'fastify-http-proxy', 'node-relay'],
});

export const manyConnections = byWrk(
  { connections: 1000 },
  {
    name: 'many-connections',
    title: '1,000 connections',
    how: '1,000 connections, one GET after the other on each.',
    peers: [...SERVERS, 'http-proxy-3'],
  },
);

export const newConnections = byWrk(
  { connections: 64, close: true },
  {
    name: 'new-connections',
    title: 'New connection per request',
    how: '64 clients that open a connection for each GET. Connections to the origin stay open.',
    peers: [...SERVERS, 'vane-guarded', 'http-proxy-3', 'fastify-http-proxy'],
  },
);

export const post = byWrk(
  { connections: 64, postBytes: 4096 },
  {
    name: 'post',
    title: 'POST of 4 KB',
    how: '64 connections, one POST with 4,096 bytes after the other on each.',
    peers: [...SERVERS, 'vane-guarded', 'http-proxy-3'],
    task: (origin) => ({ mode: 'http', servers: origin.thorough.slice(0, 1) }),
  },
);

export const tls = byWrk(
  { ...KEEP_ALIVE, tls: true },
  {
    name: 'tls',
    title: 'TLS',
    how: 'Keep-alive GET over TLS 1.3, with an ECDSA certificate; plain connections to the origin.',
    task: (origin) => ({ ...oneServer(origin), tls: true }),
  },
);

export const tlsHandshakes = byWrk(
  { connections: 64, close: true, tls: true },
  {
    name: 'tls-handshakes',
    title: 'New TLS connection per request',
    how: '64 clients that do a whole TLS 1.3 handshake for each GET.',
    task: (origin) => ({ ...oneServer(origin), tls: true }),
  },
);

export const accessLog = byWrk(KEEP_ALIVE, {
  name: 'access-log',
  title: 'Access log on',
  how: 'Keep-alive GET with a line in a file for each request, in the format of httplog (nginx: combined).',
  task: (origin) => ({ ...oneServer(origin), accessLog: true }),
});

/** Many backends, and the load that the last of their rules is for. */
export const ROUTES = { backends: 200, rules: 100 };
export const LAST_ROUTE: WrkLoad = { ...KEEP_ALIVE, path: `/r${ROUTES.rules - 1}/page` };

export const routes = byWrk(LAST_ROUTE, {
  name: 'routes',
  title: '200 backends of 50 servers',
  how: 'Keep-alive GET for a path that the last of 100 routing rules knows, among 200 backends with 50 servers each.',
  task: (origin) => ({ mode: 'http', servers: origin.fast, routes: ROUTES }),
});

export const tcpRelay = byWrk(KEEP_ALIVE, {
  name: 'tcp-relay',
  title: 'TCP relay',
  how: 'Keep-alive GET through mode tcp, where the proxy only moves bytes.',
  peers: ['haproxy', 'vane', 'node-relay'],
  quickPeers: ['haproxy', 'vane', 'node-relay'],
  task: (origin) => ({ mode: 'tcp', servers: origin.fast.slice(0, 1) }),
});
