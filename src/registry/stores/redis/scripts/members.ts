import { script } from './script.ts';

/**
 * All leases, lapsed ones too: three texts each, the node in lower case, the facts of its holder ('' where they are lost)
 * and ms until it lapses. KEYS: members, leases.
 */
export const members = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local rows = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
local all = {}
for at = 1, #rows, 2 do
  all[#all + 1] = rows[at]
  all[#all + 1] = redis.call('HGET', KEYS[1], rows[at]) or ''
  all[#all + 1] = string.format('%.0f', tonumber(rows[at + 1]) - now)
end
return all
`);

/**
 * A process gives up its lease, and the lead if it has it. KEYS: members, leases, cluster. ARGV: the node in lower case,
 * the holder, facts without one, or '' if the node goes for good.
 */
export const release = script(`
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or cjson.decode(known).holder ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
if redis.call('HGET', KEYS[3], 'holder') == ARGV[2] then redis.call('HSET', KEYS[3], 'until', '0') end
return 1
`);

/**
 * Forgets who had a lease that has lapsed for so long. KEYS: members, leases. ARGV: ms, the node in lower case ('' for
 * all).
 */
export const forgetLapsed = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - tonumber(ARGV[1])))
for _, node in ipairs(lapsed) do
  if ARGV[2] == '' or node == ARGV[2] then
    redis.call('HDEL', KEYS[1], node)
    redis.call('ZREM', KEYS[2], node)
  end
end
return 1
`);
