import type { ServerSnapshot } from '../../balance/server.ts';

/** Whether two lists hold the same objects. */
export function isSameList(a: readonly ServerSnapshot[], b: readonly ServerSnapshot[]): boolean {
  return a.length === b.length && a.every((snapshot, i) => snapshot === b[i]);
}

/** By rank; those of one rank as they came. */
export function inOrder(servers: ServerSnapshot[]): readonly ServerSnapshot[] {
  let last = 0;
  for (const { rank } of servers) {
    if (rank < last) return servers.sort((a, b) => a.rank - b.rank);
    last = rank;
  }
  return servers;
}
