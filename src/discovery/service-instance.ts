import { formatAddress, parseAddress } from '../dns/address.ts';
import { isHostname, withoutTrailingDot } from '../dns/names.ts';
import type { Check } from '../registry/model.ts';
import { aggregateStatus } from '../registry/reader.ts';
import type { Endpoint, Excluded, Resolution } from './resolution.ts';
import { evenWeights } from './weights.ts';

/** What decides about an instance, as a registry tells it: this process's own, or one elsewhere. */
export interface InstanceFacts {
  readonly node: { readonly address: string };
  readonly instance: {
    readonly id: string;
    /** Empty: the node's. */
    readonly address: string;
    readonly port: number;
    readonly weights: { readonly passing: number; readonly warning: number };
  };
  /** Node-level checks first, then the instance's own. */
  readonly checks: readonly CheckFacts[];
}

export type CheckFacts = Pick<Check, 'id' | 'name' | 'status' | 'type' | 'notes' | 'output'>;

/** One instance or node: a server, or why it is none. */
export type Found = { readonly endpoint: Endpoint } | { readonly excluded: Excluded };

const HIGHEST_PORT = 65_535;
const HIGHEST_WEIGHT = 65_535;
const LONGEST_REASON = 120;

/** All that was found of one name, as an answer. */
export function resolution(found: readonly Found[]): Resolution & { readonly ok: true } {
  const endpoints: Endpoint[] = [];
  const excluded: Excluded[] = [];
  for (const one of found) {
    if ('endpoint' in one) endpoints.push(one.endpoint);
    else excluded.push(one.excluded);
  }
  return { ok: true, endpoints: evenWeights(endpoints), excluded };
}

/**
 * An instance by Consul's rules: its own address, else its node's; left out while any check is critical, maintenance
 * included.
 *
 * @param warningsFail warnings are left out, too (Consul: `only_passing`)
 */
export function serviceInstance(
  { node, instance, checks }: InstanceFacts,
  configuredPort: number | undefined,
  warningsFail: boolean,
): Found {
  const address = instance.address || node.address;
  const port = configuredPort ?? instance.port;
  const status = aggregateStatus(checks);
  const fails = status === 'critical' || (status === 'warning' && warningsFail);
  if (fails) return { excluded: { address, port, name: instance.id, why: whyLeftOut(checks) } };
  return server(instance.id, address, port, instance.weights[status]);
}

/** A server under that address, unless no connection can go there. */
export function server(name: string, registered: string, port: number, weight: number): Found {
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
function whyLeftOut(checks: readonly CheckFacts[]): string {
  const critical = checks.filter(({ status }) => status !== 'passing' && status !== 'warning');
  const maintenance = critical.find(({ type }) => type === 'maintenance');
  if (maintenance) return withReason('in maintenance', maintenance.notes);
  const check = critical[0] ?? checks.find(({ status }) => status === 'warning');
  const word = check?.status === 'warning' ? 'warning' : 'critical';
  return withReason(`${word}: ${check?.id || check?.name}`, check?.output ?? '');
}

function withReason(what: string, text: string): string {
  const [line = ''] = text.trimStart().split('\n', 1);
  // By characters, so that none is cut in half; control characters would do as they like with a terminal.
  const reason = [...line.slice(0, 2 * LONGEST_REASON)].slice(0, LONGEST_REASON).join('');
  const clean = reason.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean === '' ? what : `${what}: ${clean}`;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= HIGHEST_PORT;
}

/** What an SRV record can say, so that a look-up over DNS gives the same weights. */
function clampWeight(weight: number): number {
  return Math.min(Math.max(Math.trunc(weight), 0), HIGHEST_WEIGHT);
}
