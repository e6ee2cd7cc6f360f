import { script } from './script.ts';

/**
 * Founds a registry in a Redis that has none, and returns the epoch of the one that is there then.
 *
 * KEYS: epoch, index, log, snapshot, restored. ARGV: a new epoch, the index to begin after. What an earlier registry has left
 * (some of the keys were evicted, say) goes.
 */
export const found = script(`
local epoch = redis.call('GET', KEYS[1])
if epoch then return epoch end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[4], 'index', ARGV[2], 'chunks', 0)
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
`);
