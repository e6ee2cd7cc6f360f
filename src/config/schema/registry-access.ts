import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isHostName } from '../address.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import { parsedBy } from './values.ts';

/** Fewer characters than this can be tried out. */
const SHORTEST_TOKEN = 16;
const LONGEST_TOKEN = 1024;

/** A secret is never shown, whatever is wrong with it: each schema on the way to it words its own problems. */
function parseToken(text: string): Parsed<string> {
  if (!/^[!-~]*$/.test(text)) return unparsed('expected a token without blanks, of ASCII characters');
  if (text.length < SHORTEST_TOKEN) return unparsed(`must have at least ${SHORTEST_TOKEN} characters`);
  if (text.length > LONGEST_TOKEN) return unparsed(`must have at most ${LONGEST_TOKEN} characters`);
  return parsed(createHash('sha256').update(text).digest('hex'));
}

function parsePattern(text: string): Parsed<string> {
  if (text === '') return unparsed('expected a name, or the beginning of names with * behind');
  if (text.slice(0, -1).includes('*')) return unparsed('* can only stand at the end');
  return parsed(text);
}

function patterns(what: string) {
  return z
    .array(z.string().transform(parsedBy(parsePattern)))
    .min(1)
    .optional()
    .describe(`${what}, each a name, or the beginning of names with * behind.`);
}

function parseAllowedHost(text: string): Parsed<string> {
  const host = text.toLowerCase();
  if (isHostName(host.replace(/^\./, ''))) return parsed(host);
  return unparsed('expected a host name, or .example.com for all below it');
}

const token = z.strictObject(
  {
    token: z
      .string({ error: 'expected a token: text, in quotes if it is a number' })
      .transform(parsedBy(parseToken))
      .describe('The secret, of at least 16 characters; best out of a file.'),
    name: z
      .string()
      .regex(/^[A-Za-z0-9_.:-]{1,64}$/, {
        error: 'a name is made of letters, digits, "-", "_", "." and ":", at most 64 of them',
      })
      .optional()
      .describe('What the log calls it. Default: the beginning of its hash.'),
    policy: z
      .enum(['read', 'register', 'admin'])
      .describe('read: sees; register: also registers and writes; admin: everything.'),
    services: patterns('Services it is for'),
    keys: patterns('Keys of the key/value store it is for'),
    nodes: patterns('Nodes that a register token may write into the catalog'),
  },
  { error: 'expected a mapping with token and policy' },
);

/** The keys of `registry` that say who may do what over HTTP. */
export const registryAccess = {
  tokens: z
    .array(token, { error: 'expected a list of tokens' })
    .min(1, { error: 'must not be empty' })
    .optional()
    .describe('Who may use the HTTP API, and for what. One token may stand in several entries.'),
  anonymous: z
    .enum(['none', 'read', 'admin'])
    .optional()
    .describe(
      'What requests without a token may do. Default: admin where http is on a loopback address and there are no tokens, else none.',
    ),
  'allowed-hosts': z
    .array(z.string().transform(parsedBy(parseAllowedHost)))
    .min(1)
    .optional()
    .describe(
      'Host names that the HTTP API is reached by, against DNS rebinding; .example.com is all below it.',
    ),
};
