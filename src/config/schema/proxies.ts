import { z } from 'zod';
import { parseBalance, parseHashType } from '../balance-line.ts';
import { BACKEND_OPTIONS, FRONTEND_OPTIONS, type Options, parseOption } from '../options.ts';
import { duration, listOf, parsedBy, whole } from './values.ts';

/** What `defaults` shares with frontends and backends. */

type OptionName = Parameters<typeof parseOption>[1][number];

/** A list of options, merged: a later one wins. The pattern is for editors; the parser decides. */
export function options(known: readonly OptionName[]) {
  const pattern = `^\\s*(no\\s+)?(${known.join('|').replace('httpchk', 'httpchk(\\s+\\S+){0,2}').replace('http-lane', 'http-lane(\\s+(direct|compat))?')})\\s*$`;
  const option = z
    .string()
    .meta({ pattern })
    .transform(parsedBy((text: string) => parseOption(text, known)));
  return listOf(option).transform((list): Options => Object.assign({}, ...list));
}

export const frontendTimeouts = {
  client: duration(1)
    .optional()
    .describe('Longest silence of the client while it is its turn. Default: 30s.'),
  'http-request': duration(1)
    .optional()
    .describe('From the first byte of a request to the end of its head. Default: 10s.'),
  'http-keep-alive': duration(1)
    .optional()
    .describe('Idle time between two requests of one connection. Default: that of http-request.'),
};

export const backendTimeouts = {
  connect: duration(1).optional().describe('For a connection to a server to open. Default: 5s.'),
  server: duration(1)
    .optional()
    .describe('Longest silence of the server while it is its turn. Default: 30s.'),
  queue: duration(1).optional().describe('Waiting for a free server. Default: that of connect.'),
  check: duration(1)
    .optional()
    .describe('Longest time of one active check. Default: the interval of the check.'),
};

export const tunnelTimeout = {
  tunnel: duration(1).optional().describe('Idle time of an upgraded or TCP connection. Default: 1h.'),
};

/** How a server is chosen. */
export const balancing = {
  balance: z
    .string()
    .transform(parsedBy(parseBalance))
    .optional()
    .describe(
      'How a server is chosen: roundrobin, static-rr, leastconn, first, random or random(DRAWS), peak-ewma, or by a hash of source, uri [whole] [len N] [depth N], url_param NAME, hdr(NAME). Default: roundrobin.',
    ),
  'hash-type': z
    .string()
    .transform(parsedBy(parseHashType))
    .optional()
    .describe(
      'How hashes lead to servers: map-based or consistent, then sdbm, djb2 or crc32, then avalanche. Default: map-based.',
    ),
  'hash-key': z
    .enum(['id', 'addr', 'addr-port'])
    .optional()
    .describe(
      'What a server is known by to consistent hashing: its name (the id of the instance), its address, or that with its port. Default: id.',
    ),
  'hash-balance-factor': z
    .union([z.literal(0), whole(101, 65_535)])
    .optional()
    .describe(
      'The most that consistent hashing may load a server, in percent of its share of the work under way; 0: any. Default: 0.',
    ),
};

export const retries = whole(0, 100)
  .optional()
  .describe('Attempts after the first, when a connection to a server fails. Default: 3.');

export const logFormat = z
  .literal('json')
  .optional()
  .describe(
    'json: one object for each request or connection in the access log, instead of a line of HAProxy.',
  );

export const maxqueue = whole(0, 1_000_000)
  .optional()
  .describe('Requests waiting for a server at once, at most; 0 is the default. Default: 1024.');

export const frontendOptions = options(FRONTEND_OPTIONS)
  .optional()
  .describe(
    'forwardfor: add X-Forwarded-For, -Proto and -Host. httplog, tcplog: an access log as HAProxy writes it. "http-lane compat": requests go through Node\'s parser and http-proxy-3. "no NAME" turns one off.',
  );

export const backendOptions = options(BACKEND_OPTIONS)
  .optional()
  .describe(
    'redispatch (on unless "no redispatch"): a retry may go to another server. "httpchk METHOD URI": active checks are HTTP requests.',
  );

export const defaultsOptions = options([...FRONTEND_OPTIONS, ...BACKEND_OPTIONS])
  .optional()
  .describe('Options of all frontends and backends; see there.');
