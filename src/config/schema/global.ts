import { z } from 'zod';
import { bind, duration, orOff, whole } from './values.ts';

/** Consul's rule for node names that the DNS can carry, and dots as host names have them. */
const NODE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;

const MOST_WORKERS = 64;

const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .optional()
    .describe('The least serious entries that are logged. Default: info.'),
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe('json: one object a line. pretty: for people. Default: json.'),
});

const stats = z.strictObject({
  bind: bind().optional().describe('Address of statistics, UI and metrics. Default: 127.0.0.1:8404.'),
});

const tune = z.strictObject({
  bufsize: whole(0, 1_048_576)
    .optional()
    .describe(
      "Bytes of a request's body that are kept while they are sent, so that it can be sent again. Default: 16384.",
    ),
  h2: z
    .strictObject({
      'max-concurrent-streams': whole(1, 10_000)
        .optional()
        .describe('Requests that a client may have under way at once over one connection. Default: 100.'),
    })
    .optional()
    .describe('HTTP/2 from clients.'),
});

export const global = z.strictObject({
  node: z
    .string()
    .regex(NODE_NAME, {
      error:
        'a node name is made of letters, digits, "-", "_" and ".", and begins and ends with a letter or digit',
    })
    .optional()
    .describe('Name of this node in the registry. Default: the host name.'),
  datacenter: z
    .string()
    .regex(/^[a-z0-9_-]{1,63}$/, { error: 'a datacenter is made of lower-case letters, digits, "-" and "_"' })
    .optional()
    .describe('Datacenter this node belongs to. Default: dc1.'),
  'data-dir': z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder for what must survive a restart. Relative to the working directory. Default: nothing is written to disk.',
    ),
  workers: z
    .union([z.literal('auto'), whole(0, MOST_WORKERS)], {
      error: `expected auto or a whole number from 0 to ${MOST_WORKERS}`,
    })
    .optional()
    .describe(
      'Processes that frontends run in; auto: one for each core; 0: none, all runs in one process. Default: 0.',
    ),
  maxconn: whole(1, 10_000_000)
    .optional()
    .describe('Client connections accepted at once by all frontends together. Default: 20000.'),
  tune: tune.optional().describe('Sizes that seldom need to be others.'),
  log: log.optional().describe('What is logged, and how.'),
  stats: orOff(stats).optional().describe('Statistics, UI and metrics; off: none.'),
  grace: duration(0)
    .optional()
    .describe(
      'How long connections are still accepted at a graceful stop, while /readyz says no already. Part of hard-stop-after. Default: 0.',
    ),
  'close-spread-time': duration(0)
    .optional()
    .describe(
      'Client connections that wait for another request are ended over this time when their process is to end. Default: 1s.',
    ),
  'hard-stop-after': duration(0)
    .optional()
    .describe(
      'How long a graceful stop may take, and what a replaced worker has begun; then it is cut. Default: 30s.',
    ),
  'spread-checks': whole(0, 50)
    .optional()
    .describe('By how many percent the time between two checks of a server varies. Default: 0.'),
  pidfile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File that holds the process id while Vane runs. Relative to the working directory. Default: none.',
    ),
});
