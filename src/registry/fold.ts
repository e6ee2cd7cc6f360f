/** Names of nodes, services, checks and ids compare without case, as in Consul's catalog: the form they compare in. */
export function fold(name: string): string {
  return name.toLowerCase();
}
