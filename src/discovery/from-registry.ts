import { VaneError } from '../core/errors.ts';
import { formatAddress, parseAddress } from '../dns/address.ts';
import { hasTag, isHostname, parseName, withoutTrailingDot } from '../dns/names.ts';
import type { Check } from '../registry/model.ts';
import { aggregateStatus, type CatalogReader, type ServiceEntry } from '../registry/reader.ts';
import type { Endpoint, Excluded, Resolution, Resolver } from './resolution.ts';
import { evenWeights } from './weights.ts';

/** One instance or node: a server, or why it is none. */
type Found = { readonly endpoint: Endpoint } | { readonly excluded: Excluded };

const NOBODY: Resolution = { ok: true, endpoints: [], excluded: [] };
const HIGHEST_PORT = 65_535;
const HIGHEST_WEIGHT = 65_535;
const LONGEST_REASON = 120;

/**
 * Looks names up in the registry of this process, read as its DNS server reads them: warnings stay in, whatever is
 * critical, in maintenance included, is left out with the reason. A node's name is its address whatever its
 * checks say, as in Consul. An answer is there as soon as it is asked for, and changes are heard of in the commit
 * that makes them.
 *
 * @param domain the zone, without a trailing dot: `consul`
 */
export function registryResolver(catalog: CatalogReader, domain: string): Resolver {
  const parse = (name: string) =>
    parseName(name, { domain, datacenter: catalog.datacenter }, name.startsWith('_'));
  const instances = new Instances(catalog);
  return {
    id: 'builtin',
    async resolve(name, port) {
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

/**
 * The instances of services as servers. The catalog keeps its answer for a service, and each entry in it, until something
 * about them changes; so does this, so that a change of one instance has only that one looked at.
 */
class Instances {
  readonly #catalog: CatalogReader;
  /** What was made of answers of the catalog, by what else was asked for. */
  readonly #resolved = new WeakMap<readonly ServiceEntry[], Map<string, Resolution>>();
  /** What was made of single entries, by the configured port. */
  readonly #found = new Map<number | undefined, WeakMap<ServiceEntry, Found>>();

  constructor(catalog: CatalogReader) {
    this.#catalog = catalog;
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
      const found = serviceInstance(entry, port);
      known.set(entry, found);
      return found;
    });
  }
}

function resolution(found: readonly Found[]): Resolution {
  const endpoints: Endpoint[] = [];
  const excluded: Excluded[] = [];
  for (const one of found) {
    if ('endpoint' in one) endpoints.push(one.endpoint);
    else excluded.push(one.excluded);
  }
  return { ok: true, endpoints: evenWeights(endpoints), excluded };
}

function serviceInstance(
  { node, instance, checks }: ServiceEntry,
  configuredPort: number | undefined,
): Found {
  const address = instance.address || node.address;
  const port = configuredPort ?? instance.port;
  const status = aggregateStatus(checks);
  if (status === 'critical')
    return { excluded: { address, port, name: instance.id, why: whyCritical(checks) } };
  return server(instance.id, address, port, instance.weights[status]);
}

function server(name: string, registered: string, port: number, weight: number): Found {
  const out = (why: string): Found => ({ excluded: { address: registered, port, name, why } });
  const address = usableAddress(registered);
  if (address === undefined)
    return out(registered === '' ? 'no address' : 'address is no IP and no host name');
  if (port === 0) return out('no port: none is registered, and none configured');
  if (!isPort(port)) return out('port is not from 1 to 65535');
  return { endpoint: { address, port, weight: clampWeight(weight), priority: 0, name } };
}

/** In the one spelling that others compare with; undefined for what no connection can go to. */
function usableAddress(registered: string): string | undefined {
  const bytes = parseAddress(registered);
  if (bytes) return formatAddress(bytes);
  return isHostname(registered) ? withoutTrailingDot(registered).toLowerCase() : undefined;
}

/** Of several reasons the operator's comes first, then the node's, then the instance's. */
function whyCritical(checks: readonly Check[]): string {
  const critical = checks.filter(({ status }) => status !== 'passing' && status !== 'warning');
  const maintenance = critical.find(({ type }) => type === 'maintenance');
  if (maintenance) return withReason('in maintenance', maintenance.notes);
  const [check] = critical;
  return withReason(`critical: ${check?.id || check?.name}`, check?.output ?? '');
}

function withReason(what: string, text: string): string {
  const [line = ''] = text.trimStart().split('\n', 1);
  // By characters, so that none is cut in half; control characters would do as they like with a terminal.
  const reason = [...line.slice(0, 2 * LONGEST_REASON)].slice(0, LONGEST_REASON).join('');
  const clean = reason.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean === '' ? what : `${what}: ${clean}`;
}

function notInRegistry(name: string, domain: string, datacenter: string): VaneError {
  const services = `[<tag>.]<service>.service[.${datacenter}].${domain}`;
  const others = `_<service>._<tag>.service.${domain} or <node>.node.${domain}`;
  return new VaneError(
    'RESOLVE_FAILED',
    `${name} is no name of this registry: expected ${services}, ${others}`,
  );
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= HIGHEST_PORT;
}

/** What an SRV record can say, so that a look-up over DNS gives the same weights. */
function clampWeight(weight: number): number {
  return Math.min(Math.max(Math.trunc(weight), 0), HIGHEST_WEIGHT);
}
