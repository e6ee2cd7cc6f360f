import { isDeepStrictEqual } from 'node:util';
import type { DatacenterConfig } from '../../config/runtime/registry.ts';
import type { DatacenterView } from '../../control/view.ts';
import type { Clock } from '../../core/clock.ts';
import type { Part } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { Datacenter } from './datacenter.ts';

/** The other datacenters, by name: a {@link Part} that ends what is under way when it stops. */
export class Datacenters implements Part {
  readonly name = 'other datacenters';
  /** The datacenter of this node. */
  readonly own: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #others: ReadonlyMap<string, Datacenter> = new Map();
  #stopped = false;

  constructor(options: {
    readonly own: string;
    readonly configs: readonly DatacenterConfig[];
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.own = options.own;
    this.#clock = options.clock;
    this.#log = options.log;
    this.set(options.configs);
  }

  /** Others from now on. Those that stay the same keep what they know. */
  set(configs: readonly DatacenterConfig[]): void {
    if (this.#stopped) return;
    const before = this.#others;
    this.#others = new Map(configs.map((config) => [config.name, this.#kept(before, config)]));
    for (const [name, one] of before) if (this.#others.get(name) !== one) one.close();
  }

  get isEmpty(): boolean {
    return this.#others.size === 0;
  }

  get names(): readonly string[] {
    return [...this.#others.keys()].sort();
  }

  get views(): readonly DatacenterView[] {
    return [...this.#others.values()].map(({ view }) => view);
  }

  /** By its very name. */
  get(name: string): Datacenter | undefined {
    return this.#others.get(name);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const one of this.#others.values()) one.close();
  }

  #kept(before: ReadonlyMap<string, Datacenter>, config: DatacenterConfig): Datacenter {
    const one = before.get(config.name);
    if (one && isDeepStrictEqual(one.config, config)) return one;
    return new Datacenter(config, this.own, this.#clock, this.#log);
  }
}
