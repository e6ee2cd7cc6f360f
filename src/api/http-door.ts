import type { FastifyInstance } from 'fastify';
import type { BindAddress } from '../config/runtime/binds.ts';
import type { Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { Connections } from './connections.ts';

export interface HttpDoorOptions {
  /** What listens here, for the log and for errors. */
  readonly name: string;
  readonly bind: BindAddress;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConnections: number;
  /** Connections of one address at once. */
  readonly connectionsPerClient: number;
}

/** Opens and closes one fastify server: bounded connections, a graceful end, and a cut at the deadline. */
export class HttpDoor {
  readonly connections: Connections;
  readonly #server: FastifyInstance;
  readonly #options: HttpDoorOptions;
  #stopping: Promise<void> | undefined;

  constructor(server: FastifyInstance, options: HttpDoorOptions) {
    this.#server = server;
    this.#options = options;
    this.connections = new Connections(options.connectionsPerClient);
    server.server.maxConnections = options.maxConnections;
    this.connections.watch(server.server);
  }

  /** The port listened on; 0 while not started. */
  get port(): number {
    const address = this.#server.server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Rejects with BIND_FAILED. */
  async start(): Promise<void> {
    const { name, bind, log } = this.#options;
    const { host, port } = bind;
    try {
      await this.#server.listen({ host, port });
    } catch (error) {
      await this.#server.close();
      throw new VaneError('BIND_FAILED', `${name} on ${host}:${port}: ${messageOf(error)}`, { cause: error });
    }
    log.info({ host, port: this.port }, `${name} listens`);
  }

  /** Lets running requests finish until the deadline (clock ms) and then cuts what is left. Idempotent. */
  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  async #stop(deadline: number): Promise<void> {
    const { clock } = this.#options;
    this.connections.endIdle();
    const cancel = clock.after(deadline - clock.now(), () => this.#server.server.closeAllConnections());
    try {
      await this.#server.close();
    } finally {
      cancel();
    }
  }
}
