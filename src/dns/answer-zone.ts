import { aggregateStatus } from '../registry/reader.ts';
import { parseAddress } from './address.ts';
import { type Answer, type DnsRecord, found, type Lookup } from './lookup.ts';
import { addressRecord, nodeName } from './records.ts';
import { shuffled } from './shuffle.ts';

/** The service under which registry servers are registered. */
const SERVER_SERVICE = 'consul';
const MAX_NAMESERVERS = 3;

/** SOA of the zone, whatever name in it was asked for (Consul does not tell zone cuts). */
export function answerStartOfAuthority(lookup: Lookup): Answer {
  const { names, glue } = nameservers(lookup);
  return found([startOfAuthority(lookup)], glue, names);
}

/** NS of the zone, with the addresses of the servers. */
export function answerNameservers(lookup: Lookup): Answer {
  const { names, glue } = nameservers(lookup);
  return found(names, glue);
}

/** NXDOMAIN with the SOA that says how long to remember it (RFC 2308). */
export function noSuchName(lookup: Lookup): Answer {
  return { ...found([], [], [startOfAuthority(lookup)]), rcode: 'NXDOMAIN' };
}

/** NOERROR without answers: the name exists, records of this type do not (RFC 2308). */
export function noSuchRecords(lookup: Lookup): Answer {
  return found([], [], [startOfAuthority(lookup)]);
}

function startOfAuthority(lookup: Lookup): DnsRecord {
  const { domain } = lookup.zone;
  const { minTtl, refresh, retry, expire } = lookup.policy.soa;
  const serial = Math.floor(lookup.now) >>> 0;
  return {
    name: domain,
    type: 'SOA',
    ttl: minTtl,
    data: {
      mname: `ns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial,
      refresh,
      retry,
      expire,
      minimum: minTtl,
    },
  };
}

/** Up to three healthy registry servers; this node where none is registered. */
function nameservers(lookup: Lookup): { names: DnsRecord[]; glue: DnsRecord[] } {
  const { reader, policy, zone } = lookup;
  const servers = reader
    .entries(SERVER_SERVICE)
    .value.filter((entry) => aggregateStatus(entry.checks) !== 'critical')
    .map((entry) => entry.node);
  const self = reader.node(reader.self).value?.node;
  const candidates = servers.length > 0 ? [...shuffled(servers, lookup.random)] : self ? [self] : [];

  const names: DnsRecord[] = [];
  const glue: DnsRecord[] = [];
  for (const node of candidates) {
    if (names.length === MAX_NAMESERVERS) break;
    const name = nodeName(node.node, lookup);
    const address = parseAddress(node.address);
    // A server without an address record could not be asked.
    if (name === undefined || !address) continue;
    if (names.some((record) => record.data === name)) continue;
    names.push({ name: zone.domain, type: 'NS', ttl: policy.nodeTtl, data: name });
    glue.push(addressRecord(name, address, policy.nodeTtl));
  }
  return { names, glue };
}
