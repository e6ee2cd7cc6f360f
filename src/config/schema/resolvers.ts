import { z } from 'zod';
import { parseHostPort } from '../address.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import type { NameserversConfig } from '../runtime/resolvers.ts';
import { parseDatacenter, parseSecret, parseUrl } from './datacenters.ts';
import { duration, listOf, NAME_PATTERN, named, parsedBy, whole } from './values.ts';

type Nameserver = Omit<NameserversConfig['nameservers'][number], 'name'>;

const DNS_PORT = 53;

/** `10.0.0.2`, `10.0.0.2:53`, `tcp@10.0.0.3:53`. */
function parseNameserver(text: string): Parsed<Nameserver> {
  const at = text.indexOf('@') + 1;
  const transport = at === 0 ? 'udp' : text.slice(0, at - 1);
  if (transport !== 'udp' && transport !== 'tcp') {
    return unparsed(`expected udp@ or tcp@ before the address, found ${transport}@`);
  }
  const address = parseHostPort(text.slice(at));
  if (!address.ok) return { ...address, offset: at + (address.offset ?? 0) };
  const { kind, host, port = DNS_PORT } = address.value;
  if (kind === 'name')
    return unparsed(`expected an IP address: looking up ${host} would need a nameserver`, at);
  return parsed({ transport, host, port });
}

const timeout = z.strictObject({
  resolve: duration(1)
    .optional()
    .describe('Names are looked up again this often, where the server entry has no interval. Default: 2s.'),
  retry: duration(1)
    .optional()
    .describe('How long an answer is waited for before the query is sent again. Default: 1s.'),
});

const hold = z.strictObject({
  valid: duration(0)
    .optional()
    .describe('An answer with servers is not asked for anew for this long. Default: 0s.'),
  nx: duration(0)
    .optional()
    .describe(
      'The last servers stay this long once answers say that the name does not exist or has no servers. Default: 30s.',
    ),
  obsolete: duration(0)
    .optional()
    .describe('A server that answers with others lack stays this long. Default: 0s.'),
  timeout: duration(0)
    .optional()
    .describe(
      'Servers go this long after the last good answer when no nameserver answers. Default: they stay.',
    ),
  refused: duration(0)
    .optional()
    .describe(
      'Servers go this long after the last good answer when the nameservers refuse. Default: they stay.',
    ),
  other: duration(0)
    .optional()
    .describe(
      'Servers go this long after the last good answer when look-ups fail otherwise. Default: they stay.',
    ),
});

export const resolvers = z.strictObject({
  nameserver: named(z.string().transform(parsedBy(parseNameserver)))
    .optional()
    .describe(
      'Nameservers by name: an IP address with an optional port (53), after tcp@ for DNS over TCP. All are asked at once.',
    ),
  'parse-resolv-conf': z
    .boolean()
    .optional()
    .describe('Also asks the nameservers that /etc/resolv.conf names, read with the file. Default: false.'),
  resolve_retries: whole(1, 100)
    .optional()
    .describe('Queries sent for one resolution before it has failed. Default: 3.'),
  timeout: timeout.optional().describe('Times of the resolver.'),
  hold: hold.optional().describe('How long what is known stays in force against what look-ups say.'),
  'min-ttl': duration(0)
    .optional()
    .describe(
      'Has names looked up again when their TTL is over, but not sooner than this. Default: 1s where max-ttl is given.',
    ),
  'max-ttl': duration(1)
    .optional()
    .describe(
      'Has names looked up again when their TTL is over, and no later than this. Default: 5m where min-ttl is given.',
    ),
  accepted_payload_size: whole(512, 65_535)
    .optional()
    .describe('Largest UDP answer announced to the nameservers (EDNS), in bytes. Default: 1232.'),
  consul: listOf(z.string().transform(parsedBy(parseUrl)), 1)
    .optional()
    .describe(
      'URL of a Consul HTTP API, or several for fail-over: its services are followed, no nameserver is asked. The keys below are only for this.',
    ),
  token: z
    .string({ error: 'expected a token: text, in quotes if it is a number' })
    .transform(parsedBy(parseSecret))
    .optional()
    .describe('What Consul is asked with; best out of a file. Default: none.'),
  datacenter: z
    .string()
    .transform(parsedBy(parseDatacenter))
    .optional()
    .describe('Datacenter of names that say none. Default: the one of the Consul that is asked.'),
  'ca-file': z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file with the certificates that an https:// Consul is trusted by. Default: those of Node.',
    ),
  'only-passing': z
    .boolean()
    .optional()
    .describe('Leave out servers whose checks warn, too (Consul: only_passing). Default: false.'),
  fallback: z
    .string()
    .regex(NAME_PATTERN)
    .optional()
    .describe(
      'Another section, of nameservers, that is asked once Consul has not answered over HTTP for 10s. Default: none.',
    ),
});
