import { script } from './script.ts';

/**
 * Has sessions be due. KEYS: sessions. ARGV: `NX` to leave
 * those alone that are watched already, or `all`; then id and ms of each.
 */
export const watchSessions = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 2, #ARGV, 2 do
  local due = string.format('%.0f', now + tonumber(ARGV[at + 1]))
  if ARGV[1] == 'NX' then redis.call('ZADD', KEYS[1], 'NX', due, ARGV[at])
  else redis.call('ZADD', KEYS[1], due, ARGV[at]) end
end
return 1
`);

/**
 * Has one be due later, unless it has been ended just now. KEYS: sessions, a key that says that it has ended. ARGV: its
 * id, ms.
 */
export const renewSession = script(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
return 1
`);
