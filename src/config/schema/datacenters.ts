import { z } from 'zod';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import { duration, parsedBy, requires } from './values.ts';

const EXAMPLE = 'http://10.1.0.5:8500';

/** Where a registry of another datacenter is: nothing but its scheme, host and port counts. */
export function parseUrl(text: string): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    return unparsed(`expected a URL such as ${EXAMPLE}, found ${JSON.stringify(text)}`);
  }
  if (url.username !== '' || url.password !== '')
    return unparsed('a token goes into token, not into the URL');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return unparsed('expected only scheme, host and port: the paths are those of Consul', url.origin.length);
  }
  return parsed(url.origin);
}

export function parseDatacenter(text: string): Parsed<string> {
  return /^[a-z0-9_-]{1,63}$/.test(text)
    ? parsed(text)
    : unparsed('a datacenter is named in lower-case letters, digits, "-" and "_"');
}

/** Not told what it is, whatever is wrong with it. */
export function parseSecret(text: string): Parsed<string> {
  return /^[!-~]{1,1024}$/.test(text)
    ? parsed(text)
    : unparsed('expected a token without blanks, of ASCII characters');
}

const datacenter = z
  .strictObject({
    http: z.string().transform(parsedBy(parseUrl)).optional().describe('URL of a Consul HTTP API there.'),
    token: z
      .string({ error: 'expected a token: text, in quotes if it is a number' })
      .transform(parsedBy(parseSecret))
      .optional()
      .describe('What is asked with there; best out of a file. Default: none.'),
    timeout: duration(1)
      .optional()
      .describe('How long it may take to answer, beyond the wait of blocking queries. Default: 2s.'),
    'ca-file': z
      .string()
      .min(1)
      .optional()
      .describe('PEM file with the certificates that an https one is trusted by. Default: those of Node.'),
  })
  .meta(requires('http'));

/** Other datacenters, by name. */
export const datacenters = z
  .record(z.string().transform(parsedBy(parseDatacenter)), datacenter)
  .optional()
  .describe('Other datacenters, by name: what is asked with ?dc=NAME, or as NAME in DNS, is asked there.');
