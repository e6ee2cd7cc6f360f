import type { PreparedQuery, RegistryNode } from '../registry/model.ts';
import type { ServiceEntry } from '../registry/reader.ts';
import type { AnswerReader } from './lookup.ts';
import type { Question } from './message.ts';
import { datacenterIn, type ParsedName, parseName, type Zone } from './names.ts';

/** What a name asks of another datacenter. */
export type Wanted = Extract<ParsedName, { readonly kind: 'service' | 'node' | 'query' }>;

/** What it has said. */
export interface Told {
  /** Of the service, or those that the query chose. */
  readonly entries: readonly ServiceEntry[];
  readonly node: RegistryNode | undefined;
  readonly query: PreparedQuery | undefined;
}

/** Whoever asks other datacenters. */
export interface OtherDatacenters {
  /** By its name in lower case. */
  has(datacenter: string): boolean;
  /** Undefined: it is away, and nothing is remembered of what it said. A promise never rejects. */
  ask(datacenter: string, wanted: Wanted): Told | undefined | Promise<Told | undefined>;
}

/** A question that another datacenter knows the answer to. */
export interface AskedElsewhere {
  readonly datacenter: string;
  readonly wanted: Wanted;
}

const SOA = 6;
const NS = 2;
const SRV = 33;

/** Undefined: it is for this datacenter's registry, which also tells of the zone as a whole. */
export function askedElsewhere(
  { name, type, printable }: Question,
  zone: Zone,
  others: OtherDatacenters,
): AskedElsewhere | undefined {
  if (!printable || type === SOA || type === NS) return undefined;
  const datacenter = datacenterIn(name, zone, type === SRV);
  if (datacenter === undefined || datacenter === zone.datacenter.toLowerCase() || !others.has(datacenter)) {
    return undefined;
  }
  const wanted = parseName(name, { ...zone, datacenter }, type === SRV);
  const known = wanted.kind === 'service' || wanted.kind === 'node' || wanted.kind === 'query';
  return known ? { datacenter, wanted } : undefined;
}

/** What another datacenter has told, as the registry there would read it: it holds nothing else. */
export function readerOf(datacenter: string, told: Told): AnswerReader {
  const index = 1;
  const { entries, node, query } = told;
  return {
    self: '',
    datacenter,
    index,
    entries: () => ({ index, value: entries }),
    services: () => ({ index, value: new Map() }),
    nodes: () => ({ index, value: [] }),
    node: () => ({ index, value: node && { node, instances: [] } }),
    queries: { find: () => query },
  };
}
