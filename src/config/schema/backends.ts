import { z } from 'zod';
import { DEFAULT_CHECK, parseCheck } from '../check-line.ts';
import { DEFAULT_SERVER_SSL, parseServerSsl } from '../server-ssl-line.ts';
import { backendOptions, backendTimeouts, balance, maxqueue, retries, tunnelTimeout } from './proxies.ts';
import { duration, hostPort, mode, parsedBy, requires, whole } from './values.ts';

const check = z.union([
  z.boolean().transform((on) => (on ? DEFAULT_CHECK : undefined)),
  z.string().transform(parsedBy(parseCheck)),
]);

const ssl = z.union([
  z.boolean().transform((on) => (on ? DEFAULT_SERVER_SSL : undefined)),
  z.string().transform(parsedBy(parseServerSsl)),
]);

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
    .enum(['drain', 'keep'])
    .optional()
    .describe('What an answer without servers means: drain all of them, or keep the last. Default: drain.'),
  drain: duration(0)
    .optional()
    .describe('How long a removed or failed server may finish its work. Default: 30s.'),
  check: check
    .optional()
    .describe('Active check: true, or "inter 2s fall 3 rise 2 port 81" (any of them). Default: none.'),
  ssl: ssl
    .optional()
    .describe(
      'Speak TLS to the servers: true, or "verify required ca-file FILE sni NAME" (any of them; verify none trusts anybody). Default: none.',
    ),
  weight: whole(0, 256).optional().describe('Share of the work, relative to the others. Default: 1.'),
  backup: z.boolean().optional().describe('Used only when no other server is available. Default: false.'),
  maxconn: whole(0, 1_000_000)
    .optional()
    .describe('Requests (http) or connections (tcp) at once of each server; 0: no limit. Default: 0.'),
});

export const backend = z
  .strictObject({
    mode: mode()
      .optional()
      .describe('http, or tcp for any other protocol. Default: that of defaults, else http.'),
    balance,
    servers: z
      .array(z.union([hostPort().transform((short) => ({ short })), server]))
      .min(1)
      .optional()
      .describe('Who does the work: mappings, or in short a name or ip:port.'),
    retries,
    option: backendOptions,
    timeout: z
      .strictObject({ ...backendTimeouts, ...tunnelTimeout })
      .optional()
      .describe('Timeouts towards servers.'),
    maxqueue,
  })
  .meta(requires('servers'));
