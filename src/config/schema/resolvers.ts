import { z } from 'zod';
import { parseHostPort } from '../address.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import type { ResolversConfig } from '../runtime/resolvers.ts';
import { duration, named, parsedBy, requires, whole } from './values.ts';

type Nameserver = Omit<ResolversConfig['nameservers'][number], 'name'>;

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

export const resolvers = z
  .strictObject({
    nameserver: named(z.string().transform(parsedBy(parseNameserver)))
      .optional()
      .describe(
        'Nameservers by name: an IP address with an optional port (53), after tcp@ for DNS over TCP. All are asked at once.',
      ),
    resolve_retries: whole(1, 100)
      .optional()
      .describe('Queries sent for one resolution before it has failed. Default: 3.'),
    timeout: z
      .strictObject({
        retry: duration(1)
          .optional()
          .describe('How long an answer is waited for before the query is sent again. Default: 1s.'),
      })
      .optional()
      .describe('Times of the resolver.'),
    accepted_payload_size: whole(512, 65_535)
      .optional()
      .describe('Largest UDP answer announced to the nameservers (EDNS), in bytes. Default: 1232.'),
  })
  .meta(requires('nameserver'));
