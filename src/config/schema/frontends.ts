import { z } from 'zod';
import { frontendOptions, frontendTimeouts, logFormat, tunnelTimeout } from './proxies.ts';
import { bindLine, listOf, mode, named, requires, whole } from './values.ts';

export const frontend = z
  .strictObject({
    bind: listOf(bindLine(), 1)
      .optional()
      .describe(
        'Addresses to listen on: host:port, or :port for every IPv4 address; with "ssl crt FILE" behind it for TLS, and "ssl-min-ver TLSv1.3" (else TLSv1.2); "proto h2" for HTTP/2 in the clear.',
      ),
    mode: mode()
      .optional()
      .describe('http, or tcp for any other protocol. Default: that of defaults, else http.'),
    maxconn: whole(1, 10_000_000).optional().describe('Client connections at once. Default: global.maxconn.'),
    option: frontendOptions,
    'log-format': logFormat,
    timeout: z
      .strictObject({ ...frontendTimeouts, ...tunnelTimeout })
      .optional()
      .describe('Timeouts towards clients.'),
    acl: named(listOf(z.string(), 1))
      .optional()
      .describe(
        'Named tests in the language of HAProxy, such as "path_beg /api/"; of several under one name, one is enough.',
      ),
    'http-request': listOf(z.string())
      .optional()
      .describe(
        'Rules in order: deny, return, redirect, set-header, add-header, del-header, set-path; each with an optional "if" or "unless" condition.',
      ),
    use_backend: listOf(z.string())
      .optional()
      .describe('"NAME if CONDITION", in order: the first whose condition holds has the request.'),
    default_backend: z.string().optional().describe('Backend of requests that no use_backend has taken.'),
  })
  .meta(requires('bind'));
