import { isDeepStrictEqual } from 'node:util';
import type { ConsulConfig, NameserversConfig, ResolversConfig } from '../config/runtime/resolvers.ts';
import type { Clock } from '../core/clock.ts';
import { ConsulResolver } from '../discovery/from-consul.ts';
import { nameserverResolver } from '../discovery/from-nameservers.ts';
import type { Resolver } from '../discovery/resolution.ts';
import { NameserverClient } from '../dns/client.ts';
import type { ResolverView } from './view.ts';

interface Section {
  readonly config: ResolversConfig;
  readonly resolver: Resolver;
  /** All but its id. */
  readonly view: () => Omit<ResolverView, 'id'>;
  readonly close: () => void;
}

/** Everyone who can be asked about a name: the registry, if there is one, and the `resolvers` sections. */
export class ResolverSections {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #builtin: Resolver | undefined;
  #sections: ReadonlyMap<string, Section> = new Map();

  /** @param random in [0, 1) */
  constructor(clock: Clock, random: () => number, builtin: Resolver | undefined) {
    this.#clock = clock;
    this.#random = random;
    this.#builtin = builtin;
  }

  /**
   * Takes the sections of a configuration; those that did not change stay as they are. Returns who is there now, and
   * `release` to be called once nobody uses those that are gone any more.
   */
  update(configs: readonly ResolversConfig[]): {
    readonly resolvers: ReadonlyMap<string, Resolver>;
    readonly release: () => void;
  } {
    const before = this.#sections;
    const next = new Map(configs.map((config) => [config.id, this.#section(config)]));
    this.#sections = next;
    const resolvers = new Map([...next].map(([id, { resolver }]) => [id, resolver]));
    if (this.#builtin) resolvers.set(this.#builtin.id, this.#builtin);
    const release = () => {
      for (const [id, section] of before) if (next.get(id) !== section) section.close();
    };
    return { resolvers, release };
  }

  /** What became of the queries of each section. */
  view(): readonly ResolverView[] {
    return [...this.#sections].map(([id, { view }]) => ({ id, ...view() }));
  }

  close(): void {
    for (const section of this.#sections.values()) section.close();
  }

  #section(config: ResolversConfig): Section {
    const known = this.#sections.get(config.id);
    if (known && isDeepStrictEqual(known.config, config)) return known;
    return config.kind === 'consul' ? this.#consul(config) : this.#nameservers(config);
  }

  #consul(config: ConsulConfig): Section {
    const { fallback: id } = config;
    const fallback = () => (id === undefined ? undefined : this.#sections.get(id)?.resolver);
    const resolver = new ConsulResolver({ config, clock: this.#clock, random: this.#random, fallback });
    const view = () => ({ nameservers: [], watches: resolver.view() });
    return { config, resolver, view, close: () => resolver.close() };
  }

  #nameservers(config: NameserversConfig): Section {
    const client = new NameserverClient(config, this.#clock);
    const resolver = nameserverResolver(config.id, client, config, this.#clock);
    const view = () => ({
      nameservers: [...client.counters].map(([name, counters]) => ({ name, counters: { ...counters } })),
      watches: [],
    });
    return { config, resolver, view, close: () => client.close() };
  }
}
