import { z } from 'zod';
import { parseCookie, parseCookieValue } from '../cookie-line.ts';
import { parseStickTable } from '../stick-lines.ts';
import { listOf, parsedBy } from './values.ts';

/** What a backend says of how clients are brought back to their server. */
export const stickiness = {
  cookie: z
    .string()
    .transform(parsedBy(parseCookie))
    .optional()
    .describe(
      'A cookie that brings clients back to their server: "NAME insert indirect nocache", or rewrite or prefix, with preserve, postonly, httponly, secure, domain D, maxidle T, maxlife T, attr A. Default: none.',
    ),
  'dynamic-cookie-key': z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Secret with which the cookie values of servers are made, the same on all load balancers of a site. Default: made from the name of the backend.',
    ),
  'stick-table': z
    .string()
    .transform(parsedBy(parseStickTable))
    .optional()
    .describe(
      'Who remembers which server a client is with: "type ip size 100k expire 30m", with ipv6, integer, string len N, binary len N, nopurge, srvkey name or addr, peers registry. Default: none.',
    ),
  stick: listOf(z.string(), 1)
    .optional()
    .describe(
      'What clients are known by, in order: "on src", "match cookie(ID)", "store-request hdr(x-user)", "store-response set-cookie(ID)", each with "if CONDITION".',
    ),
  'ignore-persist': listOf(z.string(), 1)
    .optional()
    .describe('Requests that any server may serve, whoever they come from: "if { path_beg /static/ }".'),
};

export const serverCookie = z
  .string()
  .transform(parsedBy(parseCookieValue))
  .optional()
  .describe('What the cookie of the backend says for this server. Default: made from its name.');
