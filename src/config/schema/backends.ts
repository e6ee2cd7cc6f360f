import { z } from 'zod';
import { parseInitAddr, parseNetworks } from '../address-lines.ts';
import { parseMaxRemoval, parseOnEmpty, parsePercent } from '../guard-lines.ts';
import { DEFAULT_SERVER_SSL, parseServerSsl } from '../server-ssl-line.ts';
import {
  backendOptions,
  backendTimeouts,
  balancing,
  failing,
  maxqueue,
  retries,
  tunnelTimeout,
} from './proxies.ts';
import { sendProxy } from './send-proxy.ts';
import { backendChecking, serverChecking } from './server-checks.ts';
import { serverCookie, stickiness } from './stickiness.ts';
import { duration, hostPort, mode, parsedBy, requires, whole } from './values.ts';

const ssl = z.union([
  z.boolean().transform((on) => (on ? DEFAULT_SERVER_SSL : undefined)),
  z.string().transform(parsedBy(parseServerSsl)),
]);

/** `a,b` or a list. */
function commaList() {
  return z
    .union([z.string(), z.array(z.string()).min(1)])
    .transform((input) => (typeof input === 'string' ? input : input.join(',')));
}

const server = z.strictObject({
  domain: hostPort()
    .optional()
    .describe(
      'A name that stands for any number of servers: a Consul service domain, an SRV name, or any host name.',
    ),
  address: hostPort().optional().describe('One server: ip:port.'),
  port: whole(1, 65_535)
    .optional()
    .describe('Port of the servers, where neither the entry nor the answer of the resolver says it.'),
  resolvers: z
    .string()
    .optional()
    .describe(
      'Who is asked: builtin or a section of resolvers. Default: builtin for names in the domain of the registry, else the only section.',
    ),
  interval: duration(1).optional().describe('The name is looked up again this often. Default: 2s.'),
  'on-empty': z
    .string()
    .meta({ pattern: '^\\s*(drain|keep|keep-for\\s+\\d+(us|ms|s|m|h|d)?)\\s*$' })
    .transform(parsedBy(parseOnEmpty))
    .optional()
    .describe(
      'What an answer without servers means: drain all of them, keep the last, or "keep-for 5m" the last. Default: drain.',
    ),
  'max-removal': z
    .union([z.string().meta({ pattern: '^\\s*\\d+%?(\\s+per\\s+\\d+(us|ms|s|m|h|d)?)?\\s*$' }), z.int()], {
      error: 'expected a share or a number of servers, such as 50%, 3 or "50% per 30s"',
    })
    .transform(parsedBy(parseMaxRemoval))
    .optional()
    .describe(
      'How much of its working servers an answer may take away at once: 50%, 3, "50% per 30s"; the rest goes later. Default: any.',
    ),
  'resolve-prefer': z
    .enum(['ipv4', 'ipv6'])
    .optional()
    .describe('Of a host with addresses of both families those are used. Default: all are.'),
  'resolve-net': commaList()
    .transform(parsedBy(parseNetworks))
    .optional()
    .describe('Of a host with addresses in these networks those are used: "10.0.0.0/8,192.168.0.0/16".'),
  'init-addr': commaList()
    .transform(parsedBy(parseInitAddr))
    .optional()
    .describe(
      'What is tried, in order, until the name is first known: last, libc, IP addresses, none. Default: last.',
    ),
  drain: duration(0)
    .optional()
    .describe('How long a removed or failed server may finish its work. Default: 30s.'),
  ...serverChecking,
  ssl: ssl
    .optional()
    .describe(
      'Speak TLS to the servers: true, or "verify required ca-file FILE sni NAME" (any of them; verify none trusts anybody). Default: none.',
    ),
  ...sendProxy,
  weight: whole(0, 256).optional().describe('Share of the work, relative to the others. Default: 1.'),
  backup: z
    .boolean()
    .optional()
    .describe(
      'Used only when no other server is available: the first one, or all with option allbackups. Default: false.',
    ),
  cookie: serverCookie,
  maxconn: whole(0, 1_000_000)
    .optional()
    .describe('Requests (http) or connections (tcp) at once of each server; 0: no limit. Default: 0.'),
  minconn: whole(0, 1_000_000)
    .optional()
    .describe(
      'What maxconn begins with; it rises with the work of the backend up to fullconn. 0: it is always the same. Default: 0.',
    ),
  maxqueue: whole(0, 1_000_000)
    .optional()
    .describe('Requests waiting for this server and no other, at most; 0: no limit of its own. Default: 0.'),
});

export const backend = z
  .strictObject({
    mode: mode()
      .optional()
      .describe('http, or tcp for any other protocol. Default: that of defaults, else http.'),
    ...balancing,
    ...stickiness,
    servers: z
      .array(z.union([hostPort().transform((short) => ({ short })), server]))
      .min(1)
      .optional()
      .describe('Who does the work: mappings, or in short a name or ip:port.'),
    retries,
    ...failing,
    option: backendOptions,
    timeout: z
      .strictObject({ ...backendTimeouts, ...tunnelTimeout })
      .optional()
      .describe('Timeouts towards servers.'),
    maxqueue,
    ...backendChecking,
    'panic-threshold': z
      .union([z.string().meta({ pattern: '^\\s*\\d{1,3}\\s*%?\\s*$' }), z.int()], {
        error: 'expected a share from 0% to 100%, such as 50%',
      })
      .transform(parsedBy(parsePercent))
      .optional()
      .describe(
        'When checks find less than this share of the servers up, all are used, those that are down too; 0: never. Default: 0.',
      ),
  })
  .meta(requires('servers'));
