import { z } from 'zod';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import { parseRedisUrl, type RedisUrl } from '../redis-url.ts';
import { duration, hostPort, listOf, parsedBy, whole } from './values.ts';

export type StoreWords = 'memory' | 'sqlite' | 'redis' | RedisUrl;

function parseStore(text: string): Parsed<StoreWords> {
  if (text === 'memory' || text === 'sqlite' || text === 'redis') return parsed(text);
  return parseRedisUrl(text);
}

/** Braces would make another hash tag of it. */
function parsePrefix(text: string): Parsed<string> {
  return /^[A-Za-z0-9_.:-]{1,64}$/.test(text)
    ? parsed(text)
    : unparsed('a prefix is made of letters, digits, "-", "_", "." and ":", at most 64 of them');
}

export const store = z
  .string()
  .transform(parsedBy(parseStore))
  .optional()
  .describe(
    'Where the registry is kept: memory, sqlite (needs global.data-dir), or redis://HOST:PORT, which several nodes share; redis for what is under redis. Default: sqlite when data-dir is set, else memory.',
  );

const secret = z.string({ error: 'expected text, in quotes if it is a number' }).min(1);

export const redis = z
  .strictObject({
    servers: listOf(hostPort(), 1)
      .optional()
      .describe('Address of the one server, of the Sentinels, or of some nodes of the cluster.'),
    mode: z
      .enum(['single', 'sentinel', 'cluster'])
      .optional()
      .describe('What stands at these addresses. Default: single.'),
    master: z.string().min(1).optional().describe('What the Sentinels call the master. Default: mymaster.'),
    username: secret.optional().describe('User of Redis (ACL). Default: that of Redis itself.'),
    password: secret.optional().describe('Best out of a file. Default: none.'),
    'sentinel-password': secret.optional().describe('Password of the Sentinels. Default: none.'),
    database: whole(0, 9999).optional().describe('Number of the database; a cluster has only 0. Default: 0.'),
    prefix: z
      .string()
      .transform(parsedBy(parsePrefix))
      .optional()
      .describe('Before all keys: registries of different prefixes have nothing in common. Default: vane.'),
    lease: duration(1)
      .optional()
      .describe('How long a node may be silent until the others take it for dead; 3s to 10m. Default: 15s.'),
    'leave-on-terminate': z
      .boolean()
      .optional()
      .describe(
        'A node that is told to stop deregisters itself with all that was registered there. Default: false, so that one that is only started again loses nothing.',
      ),
    tls: z.boolean().optional().describe('Speak TLS. Default: false, and true for rediss://.'),
    'ca-file': z
      .string()
      .min(1)
      .optional()
      .describe('PEM file with the certificates that it is trusted by. Default: those of Node.'),
  })
  .optional()
  .describe('More about the Redis of registry.store.');
