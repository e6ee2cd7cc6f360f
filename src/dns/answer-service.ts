import type { Instance } from '../registry/model.ts';
import { chosenBy } from '../registry/query-choice.ts';
import { aggregateStatus, type ServiceEntry } from '../registry/reader.ts';
import { type AddressBytes, formatAddress, parseAddress } from './address.ts';
import { noSuchName, noSuchRecords } from './answer-zone.ts';
import { type Answer, type DnsQuestion, type DnsRecord, found, type Lookup } from './lookup.ts';
import { hasTag, isHostname, withoutTrailingDot } from './names.ts';
import {
  addressName,
  addressRecord,
  aliasRecords,
  chased,
  metaRecords,
  nodeName,
  wantsFamily,
} from './records.ts';
import { ttlOfService } from './service-ttl.ts';
import { shuffled } from './shuffle.ts';

/** `web.service.consul`: the instances that may get traffic, in random order. */
export function answerService(
  question: DnsQuestion,
  asked: { readonly service: string; readonly tag: string | undefined },
  lookup: Lookup,
): Answer {
  const alive = aliveEntries(lookup.reader.entries(asked.service).value);
  const onlyPassing = lookup.policy.onlyPassing || lookup.policy.warningsFail;
  const chosen = alive.filter(
    (entry) =>
      (!onlyPassing || entry.passing) && (asked.tag === undefined || hasTag(entry.instance.tags, asked.tag)),
  );
  return answerEntries(question, chosen, ttlOfService(lookup.policy.serviceTtls, asked.service), lookup);
}

/** `near.query.consul`: the instances that a prepared query chooses, in random order. */
export function answerQuery(question: DnsQuestion, name: string, lookup: Lookup): Answer {
  const query = lookup.reader.queries.find(name);
  if (!query) return noSuchName(lookup);
  const chosen = chosenBy(query, lookup.reader.entries(query.service).value, lookup.policy.warningsFail);
  const { serviceTtls } = lookup.policy;
  const ttl = query.ttl === '' ? ttlOfService(serviceTtls, query.service) : Math.floor(query.ttlMs / 1000);
  return answerEntries(question, chosen.map(asAlive), ttl, lookup);
}

function answerEntries(
  question: DnsQuestion,
  chosen: readonly AliveEntry[],
  ttl: number,
  lookup: Lookup,
): Answer {
  if (chosen.length === 0) return noSuchName(lookup);
  const answer =
    question.type === 'SRV'
      ? serviceRecords(question, chosen, ttl, lookup)
      : addressRecords(question, chosen, ttl, lookup);
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
  const alive = entries.filter(({ checks }) => aggregateStatus(checks) !== 'critical').map(asAlive);
  aliveCache.set(entries, alive);
  return alive;
}

function asAlive({ node, instance, checks }: ServiceEntry): AliveEntry {
  const address = parseAddress(instance.address || node.address);
  return { node, instance, passing: aggregateStatus(checks) === 'passing', address };
}

/**
 * One address record per distinct address. Only where all instances are host names, one CNAME: a name can have only
 * one, and none beside other records (RFC 1034 section 3.6.2).
 */
function addressRecords(
  question: DnsQuestion,
  entries: readonly AliveEntry[],
  ttl: number,
  lookup: Lookup,
): Answer {
  const most = Math.min(lookup.maxAnswers, lookup.policy.aRecordLimit || lookup.maxAnswers);
  // Consul answers TXT questions about services with addresses.
  const type = question.type === 'TXT' ? 'ANY' : question.type;
  const records: DnsRecord[] = [];
  const seen = new Set<string>();
  let alias: DnsRecord[] = [];
  let anyAddress = false;
  for (const entry of shuffled(entries, lookup.random)) {
    if (records.length === most) break;
    const hostname = entry.instance.address || entry.node.address;
    const address = entry.address ?? selfReference(hostname, entry, question);
    if (!address) {
      if (alias.length === 0 && isHostname(hostname)) {
        alias = aliasRecords(question.name, hostname, question.type, ttl, lookup);
      }
      continue;
    }
    anyAddress = true;
    const key = formatAddress(address);
    if (!wantsFamily(type, address) || seen.has(key)) continue;
    seen.add(key);
    records.push(addressRecord(question.name, address, ttl));
  }
  return anyAddress ? { ...found(records), beside: records.map(() => []) } : found(alias);
}

/** An instance whose address is the very name that is asked for means its node: a CNAME would lead nowhere. */
function selfReference(hostname: string, entry: AliveEntry, question: DnsQuestion): AddressBytes | undefined {
  const same = withoutTrailingDot(hostname).toLowerCase() === question.name.toLowerCase();
  return same ? parseAddress(entry.node.address) : undefined;
}

/** SRV (RFC 2782): one record per node, address and port; the targets' addresses and node meta beside them. */
function serviceRecords(
  question: DnsQuestion,
  entries: readonly AliveEntry[],
  ttl: number,
  lookup: Lookup,
): Answer {
  const answers: DnsRecord[] = [];
  const beside: DnsRecord[][] = [];
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
    beside.push([...targetRecords(target, entry, ttl, lookup), ...metaRecords(target, node.meta, ttl)]);
  }
  return { ...found(answers, beside.flat()), beside };
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

function targetRecords(
  target: string,
  { address }: AliveEntry,
  ttl: number,
  lookup: Lookup,
): readonly DnsRecord[] {
  if (address) return [addressRecord(target, address, ttl)];
  return chased(target, 'ANY', ttl, lookup);
}

function isUint16(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}

function clampUint16(value: number): number {
  return Math.min(Math.max(Math.trunc(value), 0), 0xffff);
}
