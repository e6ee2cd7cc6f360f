import { isIP } from 'node:net';

/**
 * The nameservers that a resolv.conf(5) names, as written and in order, without repetition: IPv4, or IPv6 perhaps with
 * a zone (`fe80::1%eth0`). Lines that are not `nameserver` and what is no address say nothing here: `search`, `domain`
 * and `options` are for programs that complete names, which Vane does not.
 */
export function nameserversOf(resolvConf: string): readonly string[] {
  const found = new Set<string>();
  for (const line of resolvConf.split('\n')) {
    const [keyword, address = ''] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && isIP(address) !== 0) found.add(address);
  }
  return [...found];
}
