import { z } from 'zod';

/** HAProxy's server parameters for the PROXY protocol (configuration manual, section 5.2). */
export const sendProxy = {
  'send-proxy': z
    .boolean()
    .optional()
    .describe(
      'Connections begin with a line that tells whose they are: the PROXY protocol, version 1. Default: false.',
    ),
  'send-proxy-v2': z
    .boolean()
    .optional()
    .describe('The same in version 2, which is binary. Goes before send-proxy. Default: false.'),
};
