import { script } from './script.ts';

/** Has keys be delayed, none less than it is already. KEYS: delays. ARGV: key and ms of each. */
export const delayLocks = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + tonumber(ARGV[at + 1])), ARGV[at])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
return 1
`);

/** Returns for how many ms each key is still delayed; 0 or less: it is not. KEYS: delays. ARGV: keys. */
export const lockDelays = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local all = {}
for at = 1, #ARGV do
  all[at] = string.format('%.0f', tonumber(redis.call('ZSCORE', KEYS[1], ARGV[at]) or '0') - now)
end
return all
`);
