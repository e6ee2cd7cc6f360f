import { z } from 'zod';
import { parseBalance, parseHashType } from '../balance-line.ts';
import { parsePercent } from '../guard-lines.ts';
import { parseHedge } from '../hedge-line.ts';
import { BACKEND_OPTIONS, FRONTEND_OPTIONS, type Options, parseOption } from '../options.ts';
import { DEFAULT_OUTLIER, parseOutlier, parseRetryBudget, parseRetryOn } from '../retry-lines.ts';
import { duration, listOf, parsedBy, whole } from './values.ts';

/** What `defaults` shares with frontends and backends. */

type OptionName = Parameters<typeof parseOption>[1][number];

/** A list of options, merged: a later one wins. The pattern is for editors; the parser decides. */
export function options(known: readonly OptionName[]) {
  const pattern = `^\\s*(no\\s+)?(${known.join('|').replace('httpchk', 'httpchk(\\s+\\S+){0,2}').replace('mysql-check', 'mysql-check(\\s+user\\s+\\S+(\\s+post-41)?)?').replace('http-lane', 'http-lane(\\s+(direct|compat))?')})\\s*$`;
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

const outlierMapping = z
  .strictObject({
    errors: whole(1, 10_000).optional().describe('Errors in a row. Default: 5.'),
    time: duration(1).optional().describe('How long a server is passed over at first. Default: 30s.'),
    max: z
      .union([z.string().meta({ pattern: '^\\s*\\d{1,3}\\s*%?\\s*$' }), z.int()], {
        error: 'expected a share from 0% to 100%, such as 10%',
      })
      .transform(parsedBy(parsePercent))
      .optional()
      .describe('Of the servers that may be passed over for errors at once. Default: 10%.'),
  })
  .transform(({ errors = 5, time = DEFAULT_OUTLIER.time, max = DEFAULT_OUTLIER.max }) => ({
    errors,
    time,
    max,
  }));

/** What becomes of requests and servers when something fails. */
export const failing = {
  'retry-on': z
    .union([z.string(), z.array(z.union([z.string(), z.int()])).min(1)])
    .transform((input) => (typeof input === 'string' ? input : input.join(' ')))
    .transform(parsedBy(parseRetryOn))
    .optional()
    .describe(
      'What is tried again: none, conn-failure, empty-response, junk-response, response-timeout, 401 403 404 408 425 429 500 501 502 503 504, all-retryable-errors. Default: failed connections, and safe requests without an answer.',
    ),
  'retry-budget': z
    .string()
    .meta({ pattern: '^\\s*(off|\\d{1,3}%\\s+\\d{1,6}/s)\\s*$' })
    .transform(parsedBy(parseRetryBudget))
    .optional()
    .describe(
      'How many retries there may be: a share of the requests of the last ten seconds, and so many a second besides; or off. Default: "20% 10/s".',
    ),
  hedge: z
    .string()
    .transform(parsedBy(parseHedge))
    .optional()
    .describe(
      'GET and HEAD that are answered later than a percentile of those before them go to another server too, and the first answer counts: "after p95 min 10ms" (min may be left out), or off. Default: off.',
    ),
  outlier: z
    .union([z.string().transform(parsedBy(parseOutlier)), outlierMapping])
    .optional()
    .describe(
      'Servers that fail so many requests in a row are passed over for a while: "errors 5 time 30s max 10%" (any of them), or off. Default: only those that cannot be connected to, or answer nothing, are.',
    ),
  'max-connections': whole(1, 10_000_000)
    .optional()
    .describe('Requests (http) or connections (tcp) at once on all servers together. Default: no limit.'),
  fullconn: whole(1, 10_000_000)
    .optional()
    .describe(
      'Requests at which servers with a minconn take their whole maxconn. Default: a tenth of global.maxconn.',
    ),
};

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
    'redispatch (on unless "no redispatch"): a retry may go to another server. allbackups: all backups are used at once, not only the first. "httpchk METHOD URI", ssl-hello-chk, redis-check, "mysql-check user NAME", tcp-check: what active checks speak.',
  );

export const defaultsOptions = options([...FRONTEND_OPTIONS, ...BACKEND_OPTIONS])
  .optional()
  .describe('Options of all frontends and backends; see there.');
