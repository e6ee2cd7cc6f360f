import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisAddress } from '../../src/config/runtime/store.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import type { ProcessIdentity } from '../../src/registry/stores/redis/this-process.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

/** A Redis of a test on a port and in a folder of its own, which is ended and started as often as the test likes. */
export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'vane-redis-'));
  #program: Program | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  /** One that runs. */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const [address = ''] = await freeAddresses(1);
    return RedisServer.startAt(Number(address.split(':')[1]), ...settings);
  }

  static async startAt(port: number, ...settings: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(port);
    await server.start(...settings);
    return server;
  }

  get pid(): number {
    return this.#program?.pid ?? -1;
  }

  /** Resolves when it answers; it keeps nothing from one start to the next. */
  async start(...more: readonly string[]): Promise<void> {
    const settings = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.#folder];
    this.#program = startProgram('redis-server', [...settings, '--save', '', ...more]);
    await eventually(() => this.ask((redis) => redis.ping()), 20_000);
  }

  signal(name: NodeJS.Signals): void {
    this.#program?.signal(name);
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }

  /** Over a connection for this alone. */
  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => {});
    try {
      await redis.connect();
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }

  /**
   * A store in it, of its own unless another one has the same prefix.
   * @param lease ms
   */
  store(prefix: string, lease = 15_000): RedisStore {
    return redisStore({ kind: 'single', ports: [this.port], prefix, lease });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A store in what stands at these ports of this machine. */
export function redisStore(options: {
  readonly kind: RedisAddress['kind'];
  readonly ports: readonly number[];
  readonly prefix: string;
  /** ms */
  readonly lease: number;
  readonly process?: ProcessIdentity | undefined;
  readonly outboxFile?: string | undefined;
  readonly log?: Log;
  readonly clock?: Clock;
}): RedisStore {
  const { kind, ports, prefix, lease, process, outboxFile, log = silentLog } = options;
  const { clock = systemClock } = options;
  return new RedisStore({
    address: {
      kind,
      hosts: ports.map((port) => ({ host: '127.0.0.1', port })),
      master: 'mymaster',
      sentinelPassword: undefined,
      username: undefined,
      password: undefined,
      database: 0,
      tls: undefined,
    },
    prefix,
    lease,
    outboxFile,
    ...(process ? { process } : {}),
    clock,
    log,
  });
}
