/**
 * The TTL of a service's records, in seconds (Consul: `service_ttl`): that of its own name, else that of the longest
 * beginning (`web*`, at last `*`), else 0.
 *
 * @param ttls by name or beginning, in lower case
 */
export function ttlOfService(ttls: Readonly<Record<string, number>>, service: string): number {
  const name = service.toLowerCase();
  if (Object.hasOwn(ttls, name)) return ttls[name] ?? 0;
  let longest = '';
  for (const key of Object.keys(ttls)) {
    if (!key.endsWith('*') || key.length <= longest.length) continue;
    if (name.startsWith(key.slice(0, -1))) longest = key;
  }
  return ttls[longest] ?? 0;
}
