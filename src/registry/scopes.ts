import type { Scope } from './command-queue.ts';
import { fold } from './fold.ts';
import type { Session } from './model.ts';
import type { CatalogReader } from './reader.ts';

/** Names of what commands read and write: two that share one do not overlap. See `command-queue.ts`. */
export function serviceScope(id: string): string {
  return `service ${fold(id)}`;
}

/** A check of this process's own node. */
export function checkScope(id: string): string {
  return `check ${fold(id)}`;
}

/** Another node, with everything on it. */
export function nodeScope(name: string): string {
  return `node ${fold(name)}`;
}

export function sessionScope(id: string): string {
  return `session ${id.toLowerCase()}`;
}

export function kvScope(key: string): string {
  return `kv ${key}`;
}

/** What is written when these sessions end: they and the keys that they hold. */
export function endingScopes(reader: CatalogReader, sessions: readonly Session[]): string[] {
  return sessions.flatMap(({ id }) => [sessionScope(id), ...reader.kv.heldBy(id).map(kvScope)]);
}

/** A check of this process's own node that may turn critical or go, and the sessions that end with it. */
export function endingCheckScopes(reader: CatalogReader, check: string): string[] {
  return [checkScope(check), ...endingScopes(reader, reader.sessions.naming(reader.self, check))];
}

/** Another node that may lose what is on it, and the sessions that live there. */
export function endingNodeScopes(reader: CatalogReader, node: string): string[] {
  return [nodeScope(node), ...endingScopes(reader, reader.sessions.ofNode(node).value)];
}

/**
 * Nodes that are written, and the id that one may take from another; '' for none. Commands on this process's own node go
 * by service and check, so whoever changes it as a whole must be alone.
 */
export function touchedNodesScope(reader: CatalogReader, nodes: readonly string[], id: string): Scope {
  const names = nodes.map(fold);
  if (names.includes(fold(reader.self))) return 'everything';
  return [
    ...names.flatMap((name) => endingNodeScopes(reader, name)),
    ...(id === '' ? [] : [`node-id ${id}`]),
  ];
}
