import { fold } from '../../fold.ts';
import type { Change } from '../../model.ts';
import type { Effect } from '../../tables.ts';

/** A name of the row that was written or has gone. */
export function rowOf(effect: Effect): string {
  switch (effect.table) {
    case 'node':
      return nodeName(effect.rows.node.node);
    case 'service':
    case 'check':
      return onNode(effect.table, effect.rows.node.node, (effect.after ?? effect.before)?.id ?? '');
    case 'kv':
      return `kv ${(effect.after ?? effect.before)?.key ?? ''}`;
    case 'session':
    case 'query':
      return `${effect.table} ${(effect.after ?? effect.before)?.id ?? ''}`;
  }
}

/** The same name of the row that a change is about; undefined for a tree of keys, which is about many. */
export function rowChangedBy(change: Change): string | undefined {
  switch (change.op) {
    case 'put-node':
      return nodeName(change.node.node);
    case 'delete-node':
      return nodeName(change.node);
    case 'put-service':
      return onNode('service', change.service.node, change.service.id);
    case 'delete-service':
      return onNode('service', change.node, change.id);
    case 'put-check':
      return onNode('check', change.check.node, change.check.id);
    case 'delete-check':
      return onNode('check', change.node, change.id);
    case 'put-kv':
      return `kv ${change.entry.key}`;
    case 'delete-kv':
      return `kv ${change.key}`;
    case 'delete-kv-tree':
      return undefined;
    case 'put-session':
      return `session ${change.session.id}`;
    case 'delete-session':
      return `session ${change.id}`;
    case 'put-query':
      return `query ${change.query.id}`;
    case 'delete-query':
      return `query ${change.id}`;
  }
}

function nodeName(node: string): string {
  return `node ${fold(node)}`;
}

function onNode(table: 'service' | 'check', node: string, id: string): string {
  return `${table} ${fold(node)} ${fold(id)}`;
}
