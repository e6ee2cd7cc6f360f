import { z } from 'zod';
import {
  backendTimeouts,
  balancing,
  defaultsOptions,
  failing,
  frontendTimeouts,
  logFormat,
  maxqueue,
  retries,
  tunnelTimeout,
} from './proxies.ts';
import { mode, whole } from './values.ts';

export const defaults = z.strictObject({
  mode: mode().optional().describe('Mode of frontends and backends that name none. Default: http.'),
  retries,
  option: defaultsOptions,
  timeout: z
    .strictObject({ ...frontendTimeouts, ...backendTimeouts, ...tunnelTimeout })
    .optional()
    .describe('Timeouts of all frontends and backends.'),
  ...balancing,
  ...failing,
  maxconn: whole(1, 10_000_000)
    .optional()
    .describe('Client connections at once of each frontend. Default: global.maxconn.'),
  maxqueue,
  'log-format': logFormat,
});
