import { VaneError } from '../core/errors.ts';
import { datacenterIn, hasTag, parseName } from '../dns/names.ts';
import type { OtherDatacenters } from '../dns/other-datacenters.ts';
import type { CatalogReader, ServiceEntry } from '../registry/reader.ts';
import type { Resolution, Resolver } from './resolution.ts';
import { type Found, resolution, server, serviceInstance } from './service-instance.ts';

const NOBODY: Resolution = { ok: true, endpoints: [], excluded: [] };

/**
 * Looks names up in the registry of this process, read as its DNS server reads them: warnings stay in, whatever is
 * critical, in maintenance included, is left out with the reason. A node's name is its address whatever its
 * checks say, as in Consul. An answer is there as soon as it is asked for, and changes are heard of in the commit
 * that makes them.
 *
 * @param domain the zone, without a trailing dot: `consul`
 * @param warningsFail warnings are left out, too
 * @param others asked for names of their datacenters, of which only the interval tells what is new
 */
export function registryResolver(
  catalog: CatalogReader,
  domain: string,
  warningsFail: boolean = false,
  others?: OtherDatacenters,
): Resolver {
  const parse = (name: string) =>
    parseName(name, { domain, datacenter: catalog.datacenter }, name.startsWith('_'));
  const instances = new Instances(catalog, warningsFail);
  const elsewhere = (name: string) => {
    const datacenter = datacenterIn(name, { domain }, name.startsWith('_'));
    const isOther = datacenter !== undefined && datacenter !== catalog.datacenter.toLowerCase();
    return isOther && others?.has(datacenter) ? { datacenter, others } : undefined;
  };
  return {
    id: 'builtin',
    async resolve(name, port) {
      const other = elsewhere(name);
      if (other) return resolveElsewhere(name, port, { ...other, domain, warningsFail });
      const asked = parse(name);
      switch (asked.kind) {
        case 'service':
          return instances.resolve(asked.service, asked.tag, port);
        case 'node':
          return resolveNode(catalog, asked.node, port);
        default:
          return { ok: false, error: notInRegistry(name, domain, catalog.datacenter) };
      }
    },
    watch(name, fn) {
      const asked = parse(name);
      if (asked.kind === 'service')
        return catalog.watch({ kind: 'health-service', service: asked.service }, fn);
      if (asked.kind === 'node') return catalog.watch({ kind: 'node', node: asked.node }, fn);
      return () => {};
    },
  };
}

function resolveNode(catalog: CatalogReader, node: string, port: number | undefined): Resolution {
  const known = catalog.node(node).value?.node;
  const found = known && server(known.node, known.address, port ?? 0, 1);
  return resolution(found ? [found] : []);
}

/** Another datacenter that is away and has not been heard yet is no answer: what was known stays. */
async function resolveElsewhere(
  name: string,
  port: number | undefined,
  where: {
    readonly datacenter: string;
    readonly others: OtherDatacenters;
    readonly domain: string;
    readonly warningsFail: boolean;
  },
): Promise<Resolution> {
  const { datacenter, others, domain, warningsFail } = where;
  const asked = parseName(name, { domain, datacenter }, name.startsWith('_'));
  if (asked.kind !== 'service' && asked.kind !== 'node' && asked.kind !== 'query') {
    return { ok: false, error: notInRegistry(name, domain, datacenter) };
  }
  const told = await others.ask(datacenter, asked);
  if (!told) {
    const error = new VaneError('RESOLVE_FAILED', `datacenter ${datacenter} cannot be asked for ${name}`);
    return { ok: false, error };
  }
  const { entries, node } = told;
  if (asked.kind === 'node') return resolution(node ? [server(node.node, node.address, port ?? 0, 1)] : []);
  const tag = asked.kind === 'service' ? asked.tag : undefined;
  const tagged = tag === undefined ? entries : entries.filter((one) => hasTag(one.instance.tags, tag));
  return resolution(tagged.map((entry) => serviceInstance(entry, port, warningsFail)));
}

/**
 * The instances of services as servers. The catalog keeps its answer for a service, and each entry in it, until something
 * about them changes; so does this, so that a change of one instance has only that one looked at.
 */
class Instances {
  readonly #catalog: CatalogReader;
  readonly #warningsFail: boolean;
  /** What was made of answers of the catalog, by what else was asked for. */
  readonly #resolved = new WeakMap<readonly ServiceEntry[], Map<string, Resolution>>();
  /** What was made of single entries, by the configured port. */
  readonly #found = new Map<number | undefined, WeakMap<ServiceEntry, Found>>();

  constructor(catalog: CatalogReader, warningsFail: boolean) {
    this.#catalog = catalog;
    this.#warningsFail = warningsFail;
  }

  resolve(service: string, tag: string | undefined, port: number | undefined): Resolution {
    const entries = this.#catalog.entries(service).value;
    if (entries.length === 0) return NOBODY;
    const resolved = this.#resolved.get(entries) ?? new Map<string, Resolution>();
    this.#resolved.set(entries, resolved);
    const key = `${port ?? ''}${tag === undefined ? '' : ` ${tag}`}`;
    const known = resolved.get(key);
    if (known) return known;
    const tagged = tag === undefined ? entries : entries.filter((one) => hasTag(one.instance.tags, tag));
    const answer = resolution(this.#find(tagged, port));
    resolved.set(key, answer);
    return answer;
  }

  #find(entries: readonly ServiceEntry[], port: number | undefined): readonly Found[] {
    const known = this.#found.get(port) ?? new WeakMap<ServiceEntry, Found>();
    this.#found.set(port, known);
    return entries.map((entry) => {
      const before = known.get(entry);
      if (before) return before;
      const found = serviceInstance(entry, port, this.#warningsFail);
      known.set(entry, found);
      return found;
    });
  }
}

function notInRegistry(name: string, domain: string, datacenter: string): VaneError {
  const services = `[<tag>.]<service>.service[.${datacenter}].${domain}`;
  const others = `_<service>._<tag>.service.${domain} or <node>.node.${domain}`;
  return new VaneError(
    'RESOLVE_FAILED',
    `${name} is no name of this registry: expected ${services}, ${others}`,
  );
}
