import { z } from 'zod';
import { type HostPort, parseHostPort } from '../address.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import { duration, parsedBy, whole } from './values.ts';

type Recursor = Pick<HostPort, 'host'> & { readonly port: number };

const DNS_PORT = 53;
const SECOND = 'whole seconds are told';

/** `10.0.0.2` or `10.0.0.2:5353`. */
function parseRecursor(text: string): Parsed<Recursor> {
  const address = parseHostPort(text);
  if (!address.ok) return address;
  const { kind, host, port = DNS_PORT } = address.value;
  if (kind === 'name') {
    return unparsed(`expected an IP address: looking up ${host} would need a nameserver`);
  }
  return parsed({ host, port });
}

/** Nameservers for names outside the registry's zone. */
export const recursors = z
  .array(z.string().transform(parsedBy(parseRecursor)))
  .max(16)
  .optional()
  .describe(
    'Nameservers (IP addresses with an optional port, 53) for names outside the zone, asked in this order. Default: none; such names are refused.',
  );

const ttl = () => duration(0).optional();

/** How DNS answers are made: the words of Consul's `dns_config`, and two of Vane's own. */
export const dnsConfig = z
  .strictObject({
    'node-ttl': ttl().describe(`TTL of node, address and NS records; ${SECOND}. Default: 0s.`),
    'service-ttl': z
      .record(z.string().min(1), duration(0))
      .optional()
      .describe(
        `TTLs by service; web* is for all that begin so, * for all others. The longest match counts; ${SECOND}. Default: 0s for all.`,
      ),
    'only-passing': z
      .boolean()
      .optional()
      .describe('Also leave out instances whose worst check is a warning. Default: false.'),
    'udp-answer-limit': whole(1, 8)
      .optional()
      .describe('Answers in a datagram for askers that announce no size above 512 bytes. Default: 3.'),
    'a-record-limit': whole(0, 65_535)
      .optional()
      .describe('Address records in one answer, over UDP and TCP; 0: all that fit. Default: 0.'),
    'enable-truncate': z
      .boolean()
      .optional()
      .describe(
        'Set the TC bit when answers were left out, so that they are fetched over TCP. Default: false.',
      ),
    'recursor-timeout': duration(1)
      .optional()
      .describe('How long each recursor may take before the next one is asked. Default: 2s.'),
    soa: z
      .strictObject({
        refresh: ttl().describe('Default: 1h.'),
        retry: ttl().describe('Default: 10m.'),
        expire: ttl().describe('Default: 1d.'),
        'min-ttl': ttl().describe('How long resolvers may remember that a name does not exist. Default: 0s.'),
      })
      .optional()
      .describe(`Times in the SOA record; ${SECOND}.`),
    'recursion-available': z
      .boolean()
      .optional()
      .describe(
        'Set the RA bit without recursors, too: some forwarders cache only answers that have it. Default: false.',
      ),
    'ptr-nxdomain': z
      .boolean()
      .optional()
      .describe(
        'Without recursors: say that addresses nobody has do not exist, instead of SERVFAIL. Default: false.',
      ),
  })
  .optional()
  .describe('How DNS answers are made (Consul: dns_config).');
