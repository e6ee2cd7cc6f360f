import { type FastifyInstance, fastify } from 'fastify';
import { isLoopback } from '../../config/address.ts';
import type { BindAddress } from '../../config/runtime/binds.ts';
import type { RegistryAccess } from '../../config/runtime/registry.ts';
import type { Clock } from '../../core/clock.ts';
import type { Part } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Datacenters } from '../datacenters/datacenters.ts';
import { HttpDoor } from '../http-door.ts';
import { Access } from './access.ts';
import { AgentCache } from './agent-cache.ts';
import type { ProcessPort } from './agent-process.ts';
import type { ScriptChecks } from './check-request.ts';
import type { ApiContext, ChecksPort } from './context.ts';
import { Elsewhere } from './elsewhere.ts';
import { ParkedQueries } from './parked-queries.ts';
import { mount } from './router.ts';
import { consulRoutes } from './routes.ts';

/** Bytes of a body that are read before the request is refused (Consul's limit for a KV value). */
const MAX_BODY = 512 * 1024;

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;
/** Longer than the 90 s after which Go's clients drop an idle connection, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT = 120_000;
/** Beyond the longest blocking query, 600 s and a sixteenth. */
const SILENT_CONNECTION_TIMEOUT = 700_000;

const MAX_CONNECTIONS = 20_000;

export interface ConsulApiOptions {
  readonly registry: ApiContext['registry'];
  readonly checks: ChecksPort;
  readonly scriptChecks: ScriptChecks;
  readonly bind: BindAddress;
  /** Who may do what. */
  readonly access: RegistryAccess;
  /** See {@link ApiContext}. */
  readonly warningsFail?: boolean;
  readonly lenientFields?: boolean;
  /** Undefined: there is no other. */
  readonly datacenters?: Datacenters;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: nobody can reload or end the process over the API. */
  readonly process?: ProcessPort;
  /** Told to clients as the agent's version. */
  readonly version: string;
  /** Connections of one address at once; Consul allows 200. Default 1000. */
  readonly connectionsPerClient?: number;
  /** Blocking queries waiting at once. Default 10000. */
  readonly parkedQueries?: number;
}

export interface ConsulApi extends Part {
  /** The port listened on; 0 while not started. */
  readonly port: number;
  /** Blocking queries that wait at this moment. */
  readonly waiting: number;
  /** Others may do something from now on. */
  setAccess(access: RegistryAccess): void;
}

/**
 * Consul's HTTP API (1.9) over the registry: https://developer.hashicorp.com/consul/api-docs.
 * Starting rejects with BIND_FAILED. Stopping answers the blocking queries at once, lets running requests
 * finish until the deadline and then cuts what is left.
 */
export function createConsulApi(options: ConsulApiOptions): ConsulApi {
  return new Server(options);
}

class Server implements ConsulApi {
  readonly name = 'consul api';
  readonly #parked: ParkedQueries;
  readonly #door: HttpDoor;
  readonly #access: Access;
  readonly #options: ConsulApiOptions;

  constructor(options: ConsulApiOptions) {
    this.#parked = new ParkedQueries({
      catalog: options.registry.catalog,
      clock: options.clock,
      limit: options.parkedQueries ?? 10_000,
    });
    this.#options = options;
    this.#access = new Access(options.access);
    const server = this.#build();
    this.#door = new HttpDoor(server, {
      ...options,
      name: this.name,
      maxConnections: MAX_CONNECTIONS,
      connectionsPerClient: options.connectionsPerClient ?? 1_000,
    });
    mount(server, {
      routes: consulRoutes({
        ...options,
        access: this.#access,
        parked: this.#parked,
        agentCache: new AgentCache(),
      }),
      bindHost: options.bind.host,
      access: this.#access,
      connections: this.#door.connections,
      elsewhere:
        options.datacenters &&
        new Elsewhere({ ...options, datacenters: options.datacenters, parked: this.#parked }),
      maxBody: MAX_BODY,
      closing: () => this.#door.stopping,
      log: options.log,
    });
  }

  get port(): number {
    return this.#door.port;
  }

  get waiting(): number {
    return this.#parked.size;
  }

  setAccess(access: RegistryAccess): void {
    this.#access.set(access);
  }

  async start(): Promise<void> {
    await this.#door.start();
    const { bind, log } = this.#options;
    if (!isLoopback(bind.host) && this.#access.defaultPolicy === 'allow') {
      log.warn({ host: bind.host, port: this.port }, 'whoever reaches the consul api may do everything');
    }
  }

  stop(deadline: number): Promise<void> {
    this.#parked.release();
    return this.#door.stop(deadline);
  }

  #build(): FastifyInstance {
    return fastify({
      logger: false,
      bodyLimit: MAX_BODY,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionTimeout: SILENT_CONNECTION_TIMEOUT,
      http: { headersTimeout: HEADERS_TIMEOUT },
      // A target that cannot be decoded: neither hooks nor routes see it.
      frameworkErrors: (_error, _request, reply) => {
        reply.hijack();
        reply.raw.writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8' });
        reply.raw.end('Bad Request');
      },
    });
  }
}
