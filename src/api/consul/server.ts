import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import type { BindAddress } from '../../config/runtime.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Part } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { Connections } from '../connections.ts';
import type { ScriptChecks } from './check-request.ts';
import type { ApiContext, ChecksPort } from './context.ts';
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
  readonly clock: Clock;
  readonly log: Log;
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
  readonly #options: ConsulApiOptions;
  readonly #parked: ParkedQueries;
  readonly #connections: Connections;
  readonly #fastify: FastifyInstance;
  #stopping: Promise<void> | undefined;

  constructor(options: ConsulApiOptions) {
    this.#options = options;
    this.#connections = new Connections(options.connectionsPerClient ?? 1_000);
    this.#parked = new ParkedQueries({
      catalog: options.registry.catalog,
      clock: options.clock,
      limit: options.parkedQueries ?? 10_000,
    });
    this.#fastify = this.#build();
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#fastify.server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  get waiting(): number {
    return this.#parked.size;
  }

  async start(): Promise<void> {
    const { host, port } = this.#options.bind;
    try {
      await this.#fastify.listen({ host, port });
    } catch (error) {
      await this.#fastify.close();
      throw new VaneError('BIND_FAILED', `consul api on ${host}:${port}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    this.#options.log.info({ host, port: this.port }, 'consul api listens');
  }

  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  async #stop(deadline: number): Promise<void> {
    const { clock } = this.#options;
    this.#parked.release();
    this.#connections.endIdle();
    const cancel = clock.after(deadline - clock.now(), () => this.#fastify.server.closeAllConnections());
    try {
      await this.#fastify.close();
    } finally {
      cancel();
    }
  }

  #build(): FastifyInstance {
    const server = fastify({
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
    server.server.maxConnections = MAX_CONNECTIONS;
    this.#connections.watch(server.server);

    mount(server, {
      routes: consulRoutes({ ...this.#options, parked: this.#parked }),
      bindHost: this.#options.bind.host,
      connections: this.#connections,
      maxBody: MAX_BODY,
      closing: () => this.#stopping !== undefined,
      log: this.#options.log,
    });
    return server;
  }
}
