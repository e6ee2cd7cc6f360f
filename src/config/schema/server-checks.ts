import { z } from 'zod';
import { DEFAULT_CHECK, parseAgentCheck, parseCheck, parseTrack } from '../check-line.ts';
import { parseHttpCheck, parseTcpCheck } from '../http-check-line.ts';
import { duration, listOf, parsedBy, whole } from './values.ts';

/** How the load balancer checks servers, and what it makes of that. */

const check = z.union([
  z.boolean().transform((on) => (on ? DEFAULT_CHECK : undefined)),
  z.string().transform(parsedBy(parseCheck)),
]);

/** Of an entry of `servers`. */
export const serverChecking = {
  check: check
    .optional()
    .describe(
      'Active check: true, or "inter 2s fastinter 1s downinter 5s fall 3 rise 2 port 81 addr 10.0.0.9 check-ssl check-sni NAME" (any of them). Default: none.',
    ),
  track: z
    .string()
    .meta({ pattern: '^\\s*[A-Za-z0-9_.:-]+(/\\S+)?\\s*$' })
    .transform(parsedBy(parseTrack))
    .optional()
    .describe(
      'Instead of a check: BACKEND/SERVER whose check speaks for this one, or BACKEND for the servers of the same addresses there.',
    ),
  'agent-check': z
    .string()
    .transform(parsedBy(parseAgentCheck))
    .optional()
    .describe(
      'An agent that says how its server does: "agent-port 9999 agent-inter 2s agent-addr 10.0.0.9 agent-send TEXT" (the port is needed). Default: none.',
    ),
  observe: z
    .enum(['layer4', 'layer7'])
    .optional()
    .describe(
      'What requests meet counts besides its checks: failed connections (layer4), bad and missing answers too (layer7). Default: it does not.',
    ),
  'error-limit': whole(1, 1_000_000)
    .optional()
    .describe('So many observed errors in a row are what on-error is for. Default: 10.'),
  'on-error': z
    .enum(['fastinter', 'fail-check', 'sudden-death', 'mark-down'])
    .optional()
    .describe(
      'What observed errors do: a check at once, a failed check, all failed checks but the last, or the server is down. Default: fail-check.',
    ),
  'probe-before-admit': z
    .boolean()
    .optional()
    .describe('A new server gets no work until its first good check. Default: false.'),
  slowstart: duration(0)
    .optional()
    .describe(
      'How long a server that joins or is back takes until it has its whole share of the work. Default: 0.',
    ),
  'on-marked-down': z
    .literal('shutdown-sessions')
    .optional()
    .describe('When a check takes it down, its work is ended at once. Default: it drains.'),
  'on-marked-up': z
    .literal('shutdown-backup-sessions')
    .optional()
    .describe('When a check brings it up, the work of backups is ended at once. Default: it goes on.'),
};

/** Of a backend. The patterns are for editors; the parsers decide. */
export const backendChecking = {
  'http-check': listOf(
    z
      .string()
      .meta({ pattern: '^\\s*(send|expect|disable-on-404)(\\s|$)' })
      .transform(parsedBy(parseHttpCheck)),
  )
    .optional()
    .describe(
      'What "option httpchk" sends and expects: "send meth GET uri /health hdr Host example.com", "expect status 200-299", "expect ! string error", disable-on-404.',
    ),
  'tcp-check': listOf(
    z.string().meta({ pattern: '^\\s*(connect|send|expect)(\\s|$)' }).transform(parsedBy(parseTcpCheck)),
  )
    .optional()
    .describe('What "option tcp-check" says and hears: \'send "PING\\r\\n"\', "expect string +PONG".'),
};
