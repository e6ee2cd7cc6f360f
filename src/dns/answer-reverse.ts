import { type AddressBytes, formatAddress, parseAddress } from './address.ts';
import { type Answer, type AnswerReader, bare, type DnsQuestion, found, type Lookup } from './lookup.ts';
import { isHostname } from './names.ts';
import { nodeName } from './records.ts';

/** Consul hands what it does not know to its recursors and, having none, fails like a recursor that has none. */
const NOT_OURS: Answer = {
  ...bare('SERVFAIL', { authoritative: false, recursionAvailable: true }),
  outside: true,
};
const NO_OWNER: Answer = { ...bare('NXDOMAIN', { authoritative: true }), outside: true };
/** The TTL of PTR records is fixed in Consul. */
const PTR_TTL = 0;

/** `1.1.80.10.in-addr.arpa`: the node with that address, else a service registered with it. No health filter. */
export function answerReverse(
  question: DnsQuestion,
  address: AddressBytes | undefined,
  lookup: Lookup,
): Answer {
  if (!address || (question.type !== 'PTR' && question.type !== 'ANY')) return NOT_OURS;
  const owner = ownersOf(lookup.reader).get(formatAddress(address));
  if (!owner) return lookup.policy.ptrNxdomain ? NO_OWNER : NOT_OURS;
  const { datacenter, domain } = lookup.zone;
  const target =
    owner.kind === 'node' ? nodeName(owner.name, lookup) : `${owner.name}.service.${datacenter}.${domain}`;
  if (target === undefined || !isHostname(target)) return NOT_OURS;
  return found([{ name: question.name, type: 'PTR', ttl: PTR_TTL, data: target }]);
}

interface Owner {
  readonly kind: 'node' | 'service';
  readonly name: string;
}

type Owners = ReadonlyMap<string, Owner>;

/** Derived from the catalog once per commit, and only when somebody asks. */
const cache = new WeakMap<AnswerReader, { readonly index: number; readonly owners: Owners }>();

function ownersOf(reader: AnswerReader): Owners {
  const cached = cache.get(reader);
  if (cached?.index === reader.index) return cached.owners;
  const owners = new Map<string, Owner>();
  const claim = (text: string, owner: Owner) => {
    const address = parseAddress(text);
    if (!address) return;
    const key = formatAddress(address);
    if (!owners.has(key)) owners.set(key, owner);
  };
  for (const node of reader.nodes().value) claim(node.address, { kind: 'node', name: node.node });
  for (const name of reader.services().value.keys()) {
    for (const { instance } of reader.entries(name).value) {
      claim(instance.address, { kind: 'service', name: instance.service });
    }
  }
  cache.set(reader, { index: reader.index, owners });
  return owners;
}
