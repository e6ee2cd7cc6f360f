import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { BindAddress, ExpectProxy } from '../config/runtime/binds.ts';
import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import { hostPort } from '../health/network-errors.ts';
import { doorKey, takesOver } from '../proxy/plane/doors.ts';
import { Listener } from '../proxy/plane/listener.ts';
import { proxyExpected } from '../proxy/tcp/expect-proxy.ts';
import type { SharedRegistry } from './agreement/registry-keys.ts';
import type { Side } from './endpoint/site.ts';
import type { Order } from './failover/standing.ts';
import type { VipRegistry } from './registrations/builtin-instances.ts';
import type { MysqlVipView, OrderAnswer } from './view.ts';
import { Vip } from './vip.ts';
import { VipsFile } from './vips-file.ts';

export interface VipsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: there is none in this process. */
  readonly registry: (VipRegistry & SharedRegistry) | undefined;
  /** The name of this node. */
  readonly node: string;
  /** Where to keep what has to be known after a restart; undefined: nowhere. */
  readonly dataDir?: string | undefined;
}

const STATE_FILE = 'mysql-vips.json';

/** Where a VIP listens. */
export interface VipListening {
  readonly vip: string;
  readonly side: Side;
  readonly bind: BindAddress;
  readonly port: number;
}

interface Door {
  readonly listener: Listener;
  readonly vip: string;
  readonly side: Side;
  readonly expectProxy: ExpectProxy | undefined;
}

/** All `mysql-vip` sections of a configuration. They run in the control process, also with workers. */
export class Vips implements Part {
  readonly name = 'mysql-vip';
  readonly #options: VipsOptions;
  readonly #vips = new Map<string, { vip: Vip; config: MysqlVipConfig }>();
  /** Replaced or removed, with sessions that have yet to end. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #file: VipsFile | undefined;
  #doors: ReadonlyMap<string, Door> = new Map();

  constructor(options: VipsOptions) {
    this.#options = options;
    const { dataDir, log } = options;
    this.#file = dataDir === undefined ? undefined : new VipsFile(join(dataDir, STATE_FILE), log);
  }

  get listening(): readonly VipListening[] {
    return [...this.#doors.values()].map(({ vip, side, listener: { bind, port } }) => ({
      ...{ vip, side, bind, port },
    }));
  }

  async start(): Promise<void> {}

  /**
   * Opens the addresses that are not open yet; until `take` is called nothing else changes. Rejects with BIND_FAILED,
   * and then nothing has.
   */
  async open(
    configs: readonly MysqlVipConfig[],
  ): Promise<{ readonly take: () => Promise<void>; readonly discard: () => void }> {
    const next = new Map<string, Door>();
    const fresh: Listener[] = [];
    const kept = new Set(
      configs.flatMap(({ name, bind, bindRo }) => [...bind, ...bindRo].map((at, i) => doorKey(at, name, i))),
    );
    const discard = () => {
      for (const listener of fresh) listener.close();
    };
    for (const { name, bind, bindRo } of configs) {
      const sides = [
        ...bind.map((at) => ({ at, side: 'rw' as const })),
        ...bindRo.map((at) => ({ at, side: 'ro' as const })),
      ];
      for (const [i, { at, side }] of sides.entries()) {
        const key = doorKey(at, name, i);
        const { host, port } = at;
        const open = this.#doors.get(key)?.listener;
        try {
          const listener = open ?? (await this.#listen({ host, port }, name, kept));
          if (!open) fresh.push(listener);
          next.set(key, { listener, vip: name, side, expectProxy: at.expectProxy });
        } catch (error) {
          discard();
          const where = hostPort(at.host, at.port);
          const message = `mysql-vip ${name} cannot listen on ${where}: ${error instanceof Error ? error.message : error}`;
          throw new VaneError('BIND_FAILED', message, { cause: error });
        }
      }
    }
    return { take: () => this.#take(configs, next), discard };
  }

  view(): readonly MysqlVipView[] {
    return [...this.#vips.values()].map(({ vip }) => vip.view());
  }

  /** Does as an operator says; undefined: there is no VIP of that name. */
  order(name: string, order: Order, by: string, isDry: boolean): Promise<OrderAnswer> | undefined {
    return this.#vips.get(name)?.vip.order(order, by, isDry);
  }

  async stop(deadline: number): Promise<void> {
    for (const { listener } of this.#doors.values()) listener.close();
    this.#doors = new Map();
    const { clock } = this.#options;
    const all = [...this.#vips.values()].map(({ vip, config: { drain } }) =>
      vip.stop(Math.min(deadline, clock.now() + drain)),
    );
    this.#vips.clear();
    await Promise.all([...all, ...this.#leaving]);
  }

  async #take(configs: readonly MysqlVipConfig[], next: ReadonlyMap<string, Door>): Promise<void> {
    for (const [key, { listener }] of this.#doors) {
      if (!next.has(key)) listener.close();
    }
    this.#doors = next;
    const wanted = new Map(configs.map((config) => [config.name, config]));
    for (const [name, { vip, config }] of this.#vips) {
      const to = wanted.get(name);
      if (to && isSameVip(config, to)) {
        vip.update(to);
        this.#vips.set(name, { vip, config: to });
        continue;
      }
      this.#vips.delete(name);
      // Another may be about to register the same instances.
      await vip.withdraw();
      this.#retire(vip, config);
    }
    for (const config of configs) {
      if (!this.#vips.has(config.name)) this.#add(config);
    }
    for (const { listener, vip, side, expectProxy } of next.values()) {
      const isExpected = proxyExpected(expectProxy);
      listener.serve((socket) => {
        const taker = this.#vips.get(vip);
        if (taker) taker.vip.serve(socket, side, isExpected(socket));
        else socket.destroy();
      });
    }
  }

  #add(config: MysqlVipConfig): void {
    const vip = new Vip({ config, ...this.#options, file: this.#file });
    this.#vips.set(config.name, { vip, config });
    vip.start();
  }

  /** Its sessions end when that does no harm, and at the latest after its drain time. */
  #retire(vip: Vip, { drain }: MysqlVipConfig): void {
    const ending: Promise<void> = vip
      .stop(this.#options.clock.now() + drain)
      .finally(() => this.#leaving.delete(ending));
    this.#leaving.add(ending);
  }

  #listen(bind: BindAddress, vip: string, kept: ReadonlySet<string>): Promise<Listener> {
    const open = new Map([...this.#doors].map(([key, { listener }]) => [key, listener]));
    return Listener.open(bind, {
      beside: takesOver(bind, open, kept),
      onError: (error) =>
        this.#options.log.error({ vip, error: error.message }, 'mysql-vip cannot accept connections'),
    });
  }
}

/** Whether the second can be taken by what runs the first. */
function isSameVip(one: MysqlVipConfig, other: MysqlVipConfig): boolean {
  const kept = (vip: MysqlVipConfig) => {
    const { servers, service, monitor, failover, registry } = vip;
    const { user, password } = monitor;
    const { services, lock } = registry;
    return { servers, service, user, password, mode: failover.mode, services, lock };
  };
  return isDeepStrictEqual(kept(one), kept(other));
}
