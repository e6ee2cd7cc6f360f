import { script } from './script.ts';

/** Puts `commit` under the next index, which it returns. For scripts that have checked that it may. */
export const APPENDING = `
local function append(index, log, least, uid, commit)
  local before = tonumber(redis.call('GET', index) or '0')
  local after = string.format('%.0f', math.max(before + 1, tonumber(least)))
  redis.call('SET', index, after)
  redis.call('XADD', log, after .. '-0', 'after', string.format('%.0f', before), 'uid', uid, 'commit', commit)
  return after
end
local function requireEpoch(key, epoch)
  if redis.call('GET', key) == epoch then return nil end
  return redis.error_reply('EPOCH the registry in this Redis is another one')
end
`;

/**
 * Appends a commit to the log under the next index, and returns that.
 *
 * KEYS: epoch, index, log, writer. ARGV: the epoch that the writer knows, the least that the index may be, an id that
 * tells the commit from all others, the commit, how often the writer had begun anew when it sent it. Fails with EPOCH
 * when the registry in this Redis is another one by now, and with LATE when the writer has begun anew since.
 */
export const append = script(`${APPENDING}
local wrong = requireEpoch(KEYS[1], ARGV[1])
if wrong then return wrong end
if tonumber(redis.call('GET', KEYS[4]) or '0') > tonumber(ARGV[5]) then
  return redis.error_reply('LATE its writer has given this up')
end
return append(KEYS[2], KEYS[3], ARGV[2], ARGV[3], ARGV[4])
`);

/**
 * The same for a leader, if it still leads and what it acts upon is still so; returns '' if not.
 *
 * KEYS: epoch, index, log, cluster, leases, sessions, a key that says that the session has ended. ARGV: the epoch, the
 * id of the commit, the commit, the holder, its token, then `leads`, or `lapsed`, a node and ms since when, or `due` and a session.
 */
export const appendAsLeader = script(`${APPENDING}
local wrong = requireEpoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local leader = redis.call('HMGET', KEYS[4], 'holder', 'token', 'until')
if leader[1] ~= ARGV[4] or leader[2] ~= ARGV[5] or tonumber(leader[3] or '0') <= now then return '' end
if ARGV[6] == 'lapsed' then
  local expires = redis.call('ZSCORE', KEYS[5], ARGV[7])
  if not expires then
    -- Redis has lost it: from now on it is known when.
    expires = string.format('%.0f', now)
    redis.call('ZADD', KEYS[5], expires, ARGV[7])
  end
  if tonumber(expires) + tonumber(ARGV[8]) > now then return '' end
elseif ARGV[6] == 'due' then
  local due = redis.call('ZSCORE', KEYS[6], ARGV[7])
  if not due or tonumber(due) > now then return '' end
  redis.call('ZREM', KEYS[6], ARGV[7])
  redis.call('SET', KEYS[7], '1', 'PX', 60000)
end
return append(KEYS[2], KEYS[3], 0, ARGV[2], ARGV[3])
`);
