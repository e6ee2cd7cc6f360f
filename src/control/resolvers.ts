import { isDeepStrictEqual } from 'node:util';
import type { ResolversConfig } from '../config/runtime/resolvers.ts';
import type { Clock } from '../core/clock.ts';
import { nameserverResolver } from '../discovery/from-nameservers.ts';
import type { Resolver } from '../discovery/resolution.ts';
import { NameserverClient } from '../dns/client.ts';

interface Section {
  readonly config: ResolversConfig;
  readonly client: NameserverClient;
  readonly resolver: Resolver;
}

/** Everyone who can be asked about a name: the registry, if there is one, and the `resolvers` sections. */
export class ResolverSections {
  readonly #clock: Clock;
  readonly #builtin: Resolver | undefined;
  #sections: ReadonlyMap<string, Section> = new Map();

  constructor(clock: Clock, builtin: Resolver | undefined) {
    this.#clock = clock;
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
      for (const [id, { client }] of before) if (next.get(id)?.client !== client) client.close();
    };
    return { resolvers, release };
  }

  close(): void {
    for (const { client } of this.#sections.values()) client.close();
  }

  #section(config: ResolversConfig): Section {
    const known = this.#sections.get(config.id);
    if (known && isDeepStrictEqual(known.config, config)) return known;
    const client = new NameserverClient(config, this.#clock);
    return { config, client, resolver: nameserverResolver(config.id, client) };
  }
}
