import { script } from './script.ts';

/**
 * Appends a commit to the log under the next index, and returns that.
 *
 * KEYS: epoch, index, log. ARGV: the epoch that the writer knows, the least that the index may be, an id that tells the
 * commit from all others, the commit. Fails with EPOCH when the registry in this Redis is another one by now.
 */
export const append = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('EPOCH the registry in this Redis is another one')
end
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
local index = math.max(before + 1, tonumber(ARGV[2]))
local text = string.format('%.0f', index)
redis.call('SET', KEYS[2], text)
redis.call('XADD', KEYS[3], text .. '-0', 'after', string.format('%.0f', before), 'uid', ARGV[3], 'commit', ARGV[4])
return text
`);
