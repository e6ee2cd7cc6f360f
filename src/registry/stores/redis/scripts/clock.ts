import { script } from './script.ts';

/**
 * What time it is for the server that has a key, which in a cluster is one of many, and when the key is gone unless this
 * is asked again.
 *
 * KEYS: any. ARGV: seconds. Returns ms since the Unix epoch.
 */
export const clock = script(`
redis.call('EXPIRE', KEYS[1], ARGV[1])
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
`);
