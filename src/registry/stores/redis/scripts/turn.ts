import { script } from './script.ts';

/** Keeps a turn that a process has, or ends it. KEYS: turn. ARGV: the process, ms it lasts from now on (0: it ends). */
export const keepTurn = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`);
