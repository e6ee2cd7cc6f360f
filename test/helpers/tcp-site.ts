import type { Socket } from 'node:net';
import type { ServerSnapshot } from '../../src/balance/server.ts';
import type { BackendConfig } from '../../src/config/runtime/backends.ts';
import type { FrontendConfig } from '../../src/config/runtime/frontends.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import type { AccessEntry, TcpAccessEntry } from '../../src/proxy/access-entry.ts';
import { ClientConnections } from '../../src/proxy/plane/client-connections.ts';
import type { PlaneContext } from '../../src/proxy/plane/context.ts';
import { LiveBackend } from '../../src/proxy/plane/live-backend.ts';
import { LiveFrontend } from '../../src/proxy/plane/live-frontend.ts';
import { TcpAcceptor } from '../../src/proxy/tcp/sessions.ts';
import type { TcpBench } from './tcp-sockets.ts';

export interface TcpSiteOptions {
  readonly clock?: Clock;
  readonly frontend?: Partial<FrontendConfig>;
  readonly backend?: Partial<BackendConfig>;
  readonly servers?: readonly ServerSnapshot[];
}

/** One frontend in `mode tcp` with one backend `db`, served on a real port. */
export interface TcpSiteUnderTest {
  readonly port: number;
  readonly frontend: LiveFrontend;
  readonly backend: LiveBackend;
  readonly acceptor: TcpAcceptor;
  readonly entries: readonly TcpAccessEntry[];
  /** Faults of servers that were reported: `server code`. */
  readonly trouble: readonly string[];
}

export async function tcpSite(bench: TcpBench, options: TcpSiteOptions = {}): Promise<TcpSiteUnderTest> {
  const { clock = systemClock, servers = [] } = options;
  const entries: TcpAccessEntry[] = [];
  const trouble: string[] = [];
  const backend = new LiveBackend(backendConfig(options.backend), {
    clock,
    random: () => 0,
    events: {
      idle() {},
      cut() {},
      spared() {},
      steered() {},
      observed() {},
      trouble: (server, { code }) => trouble.push(`${server.name} ${code}`),
    },
  });
  backend.setServers(servers);
  const frontend = new LiveFrontend(frontendConfig(options.frontend));
  const connections = new ClientConnections(clock);
  connections.limit = 1_000;
  const context: PlaneContext = {
    clock,
    log: silentLog,
    get connections() {
      return connections.open;
    },
    draining: false,
    backend: (name) => (name === backend.name ? backend : undefined),
    access(entry: AccessEntry) {
      if (entry.mode === 'tcp') entries.push(entry);
    },
  };
  const acceptor = new TcpAcceptor(frontend, context);
  const { port } = await bench.accept((socket) => {
    if (connections.admit(socket, frontend)) acceptor.serve(socket);
  });
  return { port, frontend, backend, acceptor, entries, trouble };
}

/** A server that says its name to whoever comes, and then what it hears. Keeps who came. */
export async function namedServer(
  bench: TcpBench,
  name: string,
): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const { port } = await bench.listen((socket) => {
    sockets.push(socket);
    socket.write(`${name}:`);
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  });
  return { port, sockets };
}

/** A server on loopback called `name`. */
export function tcpServer(name: string, port: number, more: Partial<ServerSnapshot> = {}): ServerSnapshot {
  return {
    id: `127.0.0.1:${port}`,
    name,
    address: '127.0.0.1',
    port,
    weight: 1,
    tier: 0,
    backup: false,
    maxconn: 0,
    rank: 0,
    admission: 'open',
    ...more,
  };
}

export function frontendConfig(more: Partial<FrontendConfig> = {}): FrontendConfig {
  return {
    name: 'front',
    mode: 'tcp',
    bind: [],
    maxconn: 1_000,
    timeout: { client: 30_000, httpRequest: 10_000, httpKeepAlive: 10_000, tunnel: 3_600_000 },
    options: { forwardfor: false, accessLog: 'haproxy', httpLane: 'direct', maxConcurrentStreams: 100 },
    httpRequest: [],
    useBackend: [],
    defaultBackend: 'db',
    ...more,
  };
}

function backendConfig(more: Partial<BackendConfig> = {}): BackendConfig {
  return {
    name: 'db',
    mode: 'tcp',
    balance: { kind: 'roundrobin' },
    servers: [],
    retries: 3,
    redispatch: true,
    timeout: { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 0, check: undefined },
    maxqueue: 0,
    httpchk: undefined,
    ...more,
  };
}
