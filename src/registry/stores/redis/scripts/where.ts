import { APPENDING } from './append.ts';
import { script } from './script.ts';

/**
 * Where the registry in this Redis stands, for somebody who knows its log up to some index and begins anew to write:
 * what this process has sent before, over connections that it has given up, is not taken in any more. In a Redis that has
 * taken the place of another one, or was started anew, it goes on far ahead: that one may have given out later indexes,
 * which are fences for those who hold a lock.
 *
 * KEYS: epoch, index, log, writer, line. ARGV: that index, how often it has begun, how far ahead, an id and the text of a
 * commit that changes nothing. Returns the epoch ('' for none), the index of the last commit, and the id of the commit
 * under that index ('' when the log has none there).
 */
export const where = script(`${APPENDING}
redis.call('SET', KEYS[4], ARGV[2], 'EX', 86400)
-- Not everybody may ask that: then nothing tells one Redis from another.
local info = redis.pcall('INFO', 'replication')
local line = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
local known = redis.call('GET', KEYS[5])
if line and line ~= known then
  redis.call('SET', KEYS[5], line)
  if known and redis.call('EXISTS', KEYS[1]) == 1 then
    local least = tonumber(redis.call('GET', KEYS[2]) or '0') + tonumber(ARGV[3])
    append(KEYS[2], KEYS[3], least, ARGV[4], ARGV[5])
  end
end
local entry = redis.call('XRANGE', KEYS[3], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
local uid = ''
if entry then
  for at = 1, #entry[2], 2 do
    if entry[2][at] == 'uid' then uid = entry[2][at + 1] end
  end
end
return {redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '0', uid}
`);
