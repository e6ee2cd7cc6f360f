import { didYouMean } from '../nearest.ts';
import type { Path } from '../problem.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { ResolversConfig } from '../runtime/resolvers.ts';
import type { AddressSource, DomainSource, ServerSource } from '../runtime/servers.ts';
import type { UserServer } from '../schema/user-config.ts';
import type { WrittenAddress } from '../schema/values.ts';
import { resolveServerTls } from './certificates.ts';
import type { ResolveContext } from './context.ts';
import { defaultInterval } from './resolvers.ts';
import { resolveSendProxy } from './send-proxy.ts';
import { resolveCheck } from './server-checks.ts';

type LongServer = Exclude<UserServer, { short: WrittenAddress }>;
type Common = Omit<AddressSource, 'kind' | 'key' | 'host' | 'port'>;

/** Who can be asked about names. */
export interface NameSources {
  readonly registry: RegistryConfig | undefined;
  readonly resolvers: readonly ResolversConfig[];
}

const ONLY_FOR_DOMAINS = [
  'resolvers',
  'interval',
  'on-empty',
  'max-removal',
  'resolve-prefer',
  'resolve-net',
  'init-addr',
] as const;

/** The `servers` of the backend at `backendPath`. Entries with problems are left out, and reported. */
export function resolveServers(
  servers: readonly UserServer[],
  backendPath: Path,
  sources: NameSources,
  context: ResolveContext,
): readonly ServerSource[] {
  const seen = new Set<string>();
  return servers.flatMap((server, i) => {
    const entry = new ServerEntry([...backendPath, 'servers', i], sources, context);
    const source = entry.resolve('short' in server ? inFull(server.short) : server);
    if (!source) return [];
    if (seen.has(source.key)) entry.report([], `${source.key} is already in this backend`);
    seen.add(source.key);
    return [source];
  });
}

/** The short form of an entry: a name stands for servers, an address for one. */
function inFull(short: WrittenAddress): LongServer {
  return isAddress(short) ? { address: short } : { domain: short };
}

function isAddress({ kind, host }: WrittenAddress): boolean {
  return kind !== 'name' || host === 'localhost';
}

class ServerEntry {
  readonly #path: Path;
  readonly #registry: RegistryConfig | undefined;
  readonly #sections: readonly ResolversConfig[];
  readonly #context: ResolveContext;

  constructor(path: Path, sources: NameSources, context: ResolveContext) {
    this.#path = path;
    this.#registry = sources.registry;
    this.#sections = sources.resolvers;
    this.#context = context;
  }

  report(at: Path, message: string, suggestion?: string): undefined {
    this.#context.report({ path: [...this.#path, ...at], at: 'value', message, suggestion });
    return undefined;
  }

  resolve(server: LongServer): ServerSource | undefined {
    const written = this.#context.keys(this.#path);
    if (written.has('domain') && written.has('address')) {
      return this.report(['address'], 'expected a domain or an address, not both');
    }
    if (server.domain) return this.#domain(server, server.domain);
    if (server.address) return this.#address(server, server.address);
    // Written, and told to be wrong already.
    if (written.has('domain') || written.has('address')) return undefined;
    return this.report([], 'expected a domain or an address');
  }

  #address(server: LongServer, address: WrittenAddress): AddressSource | undefined {
    for (const key of ONLY_FOR_DOMAINS) {
      if (server[key] !== undefined)
        return this.report([key], `${key} is only for a domain: an address is not looked up`);
    }
    if (!isAddress(address)) {
      return this.report(
        ['address'],
        `${address.host} is a name: write "domain: ${address.text}" to have it looked up`,
      );
    }
    const port = this.#port(server, address, 'address');
    if (port === 'wrong') return undefined;
    if (port === undefined) return this.#lacksPort('address', address.text);
    // localhost is the loopback address whatever a resolver may say (RFC 6761 section 6.3).
    const host = address.kind === 'name' ? '127.0.0.1' : address.host;
    return { kind: 'address', key: keyOf(host, port), host, port, ...this.#common(server, host) };
  }

  #domain(server: LongServer, domain: WrittenAddress): DomainSource | undefined {
    if (domain.kind !== 'name') {
      return this.report(['domain'], `${domain.host} is an address: write "address: ${domain.text}"`);
    }
    const port = this.#port(server, domain, 'domain');
    const resolvers = this.#resolvers(server, domain.host);
    if (port === 'wrong' || resolvers === undefined) return undefined;
    const section = this.#sections.find(({ id }) => id === resolvers);
    const carriesPorts = resolvers === 'builtin' || section?.kind === 'consul';
    if (port === undefined && !carriesPorts && !domain.host.startsWith('_')) {
      return this.#lacksPort('domain', domain.host);
    }
    return {
      kind: 'domain',
      key: keyOf(domain.host, port),
      domain: domain.host,
      port,
      resolvers,
      interval: server.interval ?? defaultInterval(section),
      onEmpty: server['on-empty'] ?? 'drain',
      maxRemoval: server['max-removal'],
      ...addressWishes(server),
      ...this.#common(server, domain.host),
    };
  }

  /** @param host what the servers are called where `ssl` does not say it */
  #common(server: LongServer, host: string): Common {
    const tls = server.ssl && resolveServerTls(server.ssl, host, [...this.#path, 'ssl'], this.#context);
    return {
      weight: server.weight ?? 1,
      backup: server.backup ?? false,
      maxconn: server.maxconn ?? 0,
      ...this.#limits(server),
      drain: server.drain ?? 30_000,
      check: server.check && resolveCheck(server.check, tls, host),
      tls,
      ...resolveSendProxy(server),
      ...this.#checking(server),
      cookie: server.cookie,
    };
  }

  /** Left out where nothing is said: most say nothing. */
  #checking(server: LongServer): Partial<Common> {
    const { check, track, slowstart, 'agent-check': agent, 'probe-before-admit': probeFirst } = server;
    if (check && track) this.report(['track'], 'expected check or track, not both');
    if (probeFirst && !check && !track) this.report(['probe-before-admit'], 'has no effect without check');
    return {
      ...(track ? { track } : {}),
      ...(agent ? { agent } : {}),
      ...(probeFirst ? { probeFirst } : {}),
      ...this.#observing(server),
      ...(slowstart ? { slowstart } : {}),
      ...(server['on-marked-down'] ? { endOnDown: true } : {}),
      ...(server['on-marked-up'] ? { endBackupsOnUp: true } : {}),
    };
  }

  #observing(server: LongServer): Pick<Common, 'observe'> {
    const { check, observe: layer, 'error-limit': limit = 10, 'on-error': onError = 'fail-check' } = server;
    if (layer && !check) this.report(['observe'], 'has no effect without check, which takes it up again');
    for (const key of ['error-limit', 'on-error'] as const) {
      if (server[key] !== undefined && !layer) this.report([key], 'has no effect without observe');
    }
    return layer ? { observe: { layer, limit, onError } } : {};
  }

  #limits({ maxconn = 0, minconn = 0, maxqueue = 0 }: LongServer): Pick<Common, 'minconn' | 'maxqueue'> {
    if (minconn > maxconn) {
      this.report(
        ['minconn'],
        `expected at most maxconn, which is ${maxconn === 0 ? 'not limited' : maxconn}`,
      );
    }
    return { ...(minconn > 0 ? { minconn } : {}), ...(maxqueue > 0 ? { maxqueue } : {}) };
  }

  #port(
    { port }: LongServer,
    written: WrittenAddress,
    key: 'domain' | 'address',
  ): number | undefined | 'wrong' {
    if (port === undefined || written.port === undefined || port === written.port)
      return port ?? written.port;
    this.report(['port'], `expected one port: ${key} says ${written.port}`);
    return 'wrong';
  }

  #lacksPort(key: 'domain' | 'address', text: string): undefined {
    // Written, and told to be wrong already.
    if (this.#context.keys(this.#path).has('port')) return undefined;
    const why = key === 'domain' ? ': answers of an outside nameserver carry none' : '';
    const at = this.#context.keys(this.#path).has(key) ? [key] : [];
    return this.report(at, `${text} needs a port${why}; write ${text}:80 or add "port: 80"`);
  }

  /** Who is asked for a domain. Undefined when that cannot be told. */
  #resolvers(server: LongServer, domain: string): string | undefined {
    const sections = this.#context.keys(['resolvers']);
    const named = server.resolvers;
    if (named !== undefined) {
      if (named === 'builtin' && this.#registry) return named;
      if (named === 'builtin') return this.report(['resolvers'], 'builtin is the registry, which is off');
      if (sections.has(named)) return named;
      const message = `no resolvers section is called ${JSON.stringify(named)}`;
      return this.report(['resolvers'], message, didYouMean(named, [...sections, 'builtin']));
    }
    if (this.#context.keys(this.#path).has('resolvers')) return undefined;
    if (this.#registry && `.${domain}`.endsWith(`.${this.#registry.domain}`)) return 'builtin';
    const [only, ...others] = sections;
    if (only !== undefined && others.length === 0) return only;
    const at = this.#context.keys(this.#path).has('domain') ? ['domain'] : [];
    const zone = this.#registry
      ? `outside the domain ${this.#registry.domain} of the registry`
      : 'looked up outside';
    return this.report(
      at,
      only === undefined
        ? `${domain} is ${zone}: add a section to resolvers that says whom to ask`
        : `${domain} is ${zone}: add "resolvers:" with one of ${[...sections].join(', ')}`,
    );
  }
}

/** Left out where nothing is wished: most have no wishes. */
function addressWishes(server: LongServer): Pick<DomainSource, 'preference' | 'initAddr'> {
  const { 'resolve-prefer': family, 'resolve-net': networks = [], 'init-addr': initAddr } = server;
  return {
    ...(family || networks.length > 0 ? { preference: { family, networks } } : {}),
    ...(initAddr ? { initAddr } : {}),
  };
}

/** Stable across reloads as long as the entry means the same servers. */
function keyOf(host: string, port: number | undefined): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port}`;
}
