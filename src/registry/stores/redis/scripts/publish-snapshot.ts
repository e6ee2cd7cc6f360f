import { script } from './script.ts';

/**
 * Says that a snapshot has been written, and cuts from the log what the one before it had already: nobody who follows
 * closely is cut off. The chunks of that one are kept a minute longer for those who are reading them.
 *
 * KEYS: epoch, log, snapshot. ARGV: the epoch, the index of the snapshot, how many chunks it has, what the names of
 * chunks begin with up to the index. Returns 1, or 0 when a later one or another registry is there by now.
 */
export const publishSnapshot = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local index = tonumber(redis.call('HGET', KEYS[3], 'index') or '0')
if index >= tonumber(ARGV[2]) then return 0 end
local chunks = tonumber(redis.call('HGET', KEYS[3], 'chunks') or '0')
local former = ARGV[4] .. string.format('%.0f', index) .. ':'
for number = 0, chunks - 1 do redis.call('EXPIRE', former .. number, 60) end
redis.call('HSET', KEYS[3], 'index', ARGV[2], 'chunks', ARGV[3])
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', index + 1) .. '-0')
return 1
`);
