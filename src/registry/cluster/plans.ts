import { fold } from '../fold.ts';
import type { Change, Check, Session } from '../model.ts';
import { REGISTRY_SERVICE, SERF_HEALTH } from '../names.ts';
import type { CatalogReader } from '../reader.ts';

/** Consul's `structs.SessionTTLMultiplier`: a session that is late by less than its TTL goes on. */
export const PATIENCE = 2;

/** `serfHealth` of all nodes that are a Vane, whether they are there or not. */
export function vaneNodes(catalog: CatalogReader): readonly Check[] {
  return catalog.nodes().value.flatMap(({ node }) => {
    const check = catalog.check(node, SERF_HEALTH);
    return check && catalog.instance(node, REGISTRY_SERVICE) ? [check] : [];
  });
}

/** Those that count as alive but have no lease. */
export function lapsedNodes(catalog: CatalogReader, live: ReadonlySet<string>): readonly Check[] {
  return vaneNodes(catalog).filter(({ node, status }) => status !== 'critical' && !live.has(fold(node)));
}

/** Consul's words for a member that has failed. */
export function planFailed({ createIndex: _, modifyIndex: __, ...check }: Check): readonly Change[] {
  const output = 'Agent not live or unreachable';
  return [{ op: 'put-check', check: { ...check, status: 'critical', output }, update: true }];
}

/** Whether a node that is there is taken by the others for one that is not. */
export function countsAsFailed(catalog: CatalogReader, node: string): boolean {
  return catalog.check(node, SERF_HEALTH)?.status !== 'passing';
}

export function sessionsWithTtl(
  catalog: CatalogReader,
): readonly { readonly id: string; readonly ms: number }[] {
  return catalog.sessions.all().value.flatMap((session) => (session.ttlMs > 0 ? [timeOf(session)] : []));
}

export function timeOf({ id, ttlMs }: Session): { readonly id: string; readonly ms: number } {
  return { id, ms: ttlMs * PATIENCE };
}
