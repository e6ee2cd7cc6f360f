import type { Instance } from '../registry/model.ts';
import { aggregateStatus, type ServiceEntry } from '../registry/reader.ts';
import { type AddressBytes, formatAddress, parseAddress } from './address.ts';
import { noSuchName, noSuchRecords } from './answer-zone.ts';
import { type Answer, type DnsQuestion, type DnsRecord, found, type Lookup } from './lookup.ts';
import { hasTag, isHostname, withoutTrailingDot } from './names.ts';
import { addressName, addressRecord, aliasRecords, metaRecords, nodeName, wantsFamily } from './records.ts';
import { shuffled } from './shuffle.ts';

/** `web.service.consul`: the instances that may get traffic, in random order. */
export function answerService(
  question: DnsQuestion,
  asked: { readonly service: string; readonly tag: string | undefined },
  lookup: Lookup,
): Answer {
  const alive = aliveEntries(lookup.reader.entries(asked.service).value);
  const { onlyPassing } = lookup.policy;
  const chosen = alive.filter(
    (entry) =>
      (!onlyPassing || entry.passing) && (asked.tag === undefined || hasTag(entry.instance.tags, asked.tag)),
  );
  if (chosen.length === 0) return noSuchName(lookup);
  const answer =
    question.type === 'SRV'
      ? serviceRecords(question, chosen, lookup)
      : found(addressRecords(question, chosen, lookup));
  return answer.answers.length > 0 ? answer : noSuchRecords(lookup);
}

/** An entry that is not critical, with what every answer needs of it. */
interface AliveEntry {
  readonly node: ServiceEntry['node'];
  readonly instance: Instance;
  readonly passing: boolean;
  /** The instance's own address, else its node's; undefined when that is not an IP address. */
  readonly address: AddressBytes | undefined;
}

/** The reader hands out the same list until the service changes, so its healthy part is computed once. */
const aliveCache = new WeakMap<readonly ServiceEntry[], readonly AliveEntry[]>();

function aliveEntries(entries: readonly ServiceEntry[]): readonly AliveEntry[] {
  const cached = aliveCache.get(entries);
  if (cached) return cached;
  const alive: AliveEntry[] = [];
  for (const { node, instance, checks } of entries) {
    const status = aggregateStatus(checks);
    if (status === 'critical') continue;
    const address = parseAddress(instance.address || node.address);
    alive.push({ node, instance, passing: status === 'passing', address });
  }
  aliveCache.set(entries, alive);
  return alive;
}

/**
 * One address record per distinct address. Only where all instances are host names, one CNAME: a name can have only
 * one, and none beside other records (RFC 1034 section 3.6.2).
 */
function addressRecords(question: DnsQuestion, entries: readonly AliveEntry[], lookup: Lookup): DnsRecord[] {
  const { serviceTtl } = lookup.policy;
  // Consul answers TXT questions about services with addresses.
  const type = question.type === 'TXT' ? 'ANY' : question.type;
  const records: DnsRecord[] = [];
  const seen = new Set<string>();
  let alias: DnsRecord[] = [];
  let anyAddress = false;
  for (const entry of shuffled(entries, lookup.random)) {
    if (records.length === lookup.maxAnswers) break;
    const hostname = entry.instance.address || entry.node.address;
    const address = entry.address ?? selfReference(hostname, entry, question);
    if (!address) {
      if (alias.length === 0 && isHostname(hostname)) {
        alias = aliasRecords(question.name, hostname, question.type, serviceTtl, lookup);
      }
      continue;
    }
    anyAddress = true;
    const key = formatAddress(address);
    if (!wantsFamily(type, address) || seen.has(key)) continue;
    seen.add(key);
    records.push(addressRecord(question.name, address, serviceTtl));
  }
  return anyAddress ? records : alias;
}

/** An instance whose address is the very name that is asked for means its node: a CNAME would lead nowhere. */
function selfReference(hostname: string, entry: AliveEntry, question: DnsQuestion): AddressBytes | undefined {
  const same = withoutTrailingDot(hostname).toLowerCase() === question.name.toLowerCase();
  return same ? parseAddress(entry.node.address) : undefined;
}

/** SRV (RFC 2782): one record per node, address and port; the targets' addresses and node meta beside them. */
function serviceRecords(question: DnsQuestion, entries: readonly AliveEntry[], lookup: Lookup): Answer {
  const ttl = lookup.policy.serviceTtl;
  const answers: DnsRecord[] = [];
  const additionals: DnsRecord[] = [];
  const seen = new Set<string>();
  for (const entry of shuffled(entries, lookup.random)) {
    if (answers.length === lookup.maxAnswers) break;
    const { node, instance, passing } = entry;
    // A port that no connection can have: the registry takes any number.
    if (!isUint16(instance.port)) continue;
    const key = `${node.node.toLowerCase()}\0${instance.address}\0${instance.port}`;
    if (seen.has(key)) continue;
    const target = srvTarget(entry, lookup);
    if (target === undefined) continue;
    seen.add(key);
    const weight = clampUint16(passing ? instance.weights.passing : instance.weights.warning);
    const data = { priority: 1, weight, port: instance.port, target };
    answers.push({ name: question.name, type: 'SRV', ttl, data });
    additionals.push(...targetRecords(target, entry, lookup), ...metaRecords(target, node.meta, ttl));
  }
  return found(answers, additionals);
}

/** The address as a name, the node's name where the instance has no address of its own, or the host name given. */
function srvTarget({ node, instance, address }: AliveEntry, lookup: Lookup): string | undefined {
  if (address) {
    const name = instance.address === '' ? nodeName(node.node, lookup) : undefined;
    return name ?? addressName(address, lookup);
  }
  const hostname = instance.address || node.address;
  return isHostname(hostname) ? withoutTrailingDot(hostname) : undefined;
}

function targetRecords(target: string, { address }: AliveEntry, lookup: Lookup): readonly DnsRecord[] {
  if (address) return [addressRecord(target, address, lookup.policy.serviceTtl)];
  return lookup.chase(target, 'ANY');
}

function isUint16(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}

function clampUint16(value: number): number {
  return Math.min(Math.max(Math.trunc(value), 0), 0xffff);
}
