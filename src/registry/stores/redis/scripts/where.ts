import { script } from './script.ts';

/**
 * Where the registry in this Redis stands, for somebody who knows its log up to some index and begins anew to write:
 * what this process has sent before, over connections that it has given up, is not taken in any more.
 *
 * KEYS: epoch, index, log, writer. ARGV: that index, how often it has begun. Returns the epoch ('' for none), the index of the last commit, and the id
 * of the commit under that index ('' when the log has none there).
 */
export const where = script(`
redis.call('SET', KEYS[4], ARGV[2], 'EX', 86400)
local entry = redis.call('XRANGE', KEYS[3], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
local uid = ''
if entry then
  for at = 1, #entry[2], 2 do
    if entry[2][at] == 'uid' then uid = entry[2][at + 1] end
  end
end
return {redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '0', uid}
`);
