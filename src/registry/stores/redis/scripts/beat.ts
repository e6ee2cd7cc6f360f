import { script } from './script.ts';

/**
 * Takes or renews the lease of a node, and the lead if nobody has it, by the clock of Redis.
 *
 * KEYS: members, leases, cluster, tokens, sessions, index. ARGV: the node in lower case, the holder, the lease in ms,
 * facts of the holder (JSON), a holder that is known to have ended ('' for none), the longest time between two beats
 * that counts as no gap. Returns `refused` with facts of who has the lease, when that lapses and ms until then; else
 * what {@link Standing} has, in order.
 */
export const beat = script(`
local members, leases, cluster, tokens, sessions, index = unpack(KEYS)
local node, holder, lease, facts, ended, gap = unpack(ARGV)
lease = tonumber(lease)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function text(number) return string.format('%.0f', number) end

local known = redis.call('HGET', members, node)
local expires = tonumber(redis.call('ZSCORE', leases, node) or '0')
if known and expires > now then
  local has = cjson.decode(known).holder
  if has ~= holder and has ~= '' and has ~= ended then return {'refused', known, text(expires), text(expires - now)} end
end
redis.call('HSET', members, node, facts)
redis.call('ZADD', leases, text(now + lease), node)

local seen = tonumber(redis.call('HGET', cluster, 'seen') or '0')
local steady = tonumber(redis.call('HGET', cluster, 'steady') or text(now))
if now - seen > tonumber(gap) or seen > now + 1000 then steady = now end
redis.call('HSET', cluster, 'seen', text(now), 'steady', text(steady))

local leader = redis.call('HMGET', cluster, 'holder', 'token', 'until', 'leader')
local till = tonumber(leader[3] or '0')
local token = ''
if till <= now or till > now + 2 * lease or leader[1] == holder then
  token = leader[2]
  if till <= now or leader[1] ~= holder then token = text(redis.call('INCR', tokens)) end
  till = now + lease
  leader[4] = node
  redis.call('HSET', cluster, 'holder', holder, 'token', token, 'until', text(till), 'leader', node)
end

local rows = redis.call('ZRANGEBYSCORE', leases, '(' .. text(now), '+inf', 'WITHSCORES')
local live, lapse = {}, lease
for at = 1, #rows, 2 do
  live[#live + 1] = rows[at]
  if rows[at] ~= node then lapse = math.min(lapse, tonumber(rows[at + 1]) - now) end
end
local due, nextDue, watched = {}, '', '0'
if token ~= '' then
  due = redis.call('ZRANGEBYSCORE', sessions, '-inf', text(now), 'LIMIT', 0, 200)
  local later = redis.call('ZRANGEBYSCORE', sessions, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then nextDue = text(tonumber(later[2]) - now) end
  watched = redis.call('ZCARD', sessions)
end
return {'held', redis.call('GET', index) or '0', token, leader[4], text(till - now), text(now - steady), live, text(lapse),
  due, nextDue, watched}
`);
