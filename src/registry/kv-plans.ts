import { VaneError } from '../core/errors.ts';
import { sameEntry } from './kv-table.ts';
import type { Change, KvEntry, Unindexed } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { findSession } from './session-id.ts';

/** A write to the key/value store, as Consul's transactions name them. */
export interface KvWrite {
  readonly verb: KvWriteVerb;
  /** The prefix, for `delete-tree`. */
  readonly key: string;
  readonly value: Uint8Array;
  /** Decimal digits. */
  readonly flags: string;
  /** For `cas` and `delete-cas`: the index at which the key must have been written last. */
  readonly index: number;
  /** For `lock` and `unlock`. */
  readonly session: string;
}

export const KV_WRITE_VERBS = [
  'set',
  'cas',
  'lock',
  'unlock',
  'delete',
  'delete-cas',
  'delete-tree',
] as const;
export type KvWriteVerb = (typeof KV_WRITE_VERBS)[number];

type View = Pick<CatalogReader, 'kv' | 'sessions'>;

/**
 * What a write comes to; undefined: it is refused, because the key is not as the writer takes it to be or another
 * session holds it. Throws REGISTRY_INVALID.
 */
export function planKvWrite(view: View, write: KvWrite): readonly Change[] | undefined {
  const { verb, key, index } = write;
  if (key === '' && verb !== 'delete-tree') throw new VaneError('REGISTRY_INVALID', 'Must provide key');
  const known = view.kv.entry(key).value;
  switch (verb) {
    case 'set':
      return put(known, written(known, write));
    case 'cas':
      return (known?.modifyIndex ?? 0) === index ? put(known, written(known, write)) : undefined;
    case 'lock':
      return planLock(view, known, write);
    case 'unlock':
      return planUnlock(known, write);
    case 'delete':
      return known ? [{ op: 'delete-kv', key }] : [];
    case 'delete-cas':
      if (!known) return [];
      return known.modifyIndex === index ? [{ op: 'delete-kv', key }] : undefined;
    case 'delete-tree':
      return view.kv.under(key).value.length > 0 ? [{ op: 'delete-kv-tree', prefix: key }] : [];
  }
}

/** Held anew, the lock index rises; by its holder, it is a write that keeps it. */
function planLock(view: View, known: KvEntry | undefined, write: KvWrite): readonly Change[] | undefined {
  requireGiven(write);
  const session = findSession(view, write.session);
  if (!session) throw new VaneError('REGISTRY_INVALID', `invalid session ${JSON.stringify(write.session)}`);
  const holder = known?.session ?? '';
  if (holder !== '' && holder !== session.id) return undefined;
  const lockIndex = (known?.lockIndex ?? 0) + (holder === '' ? 1 : 0);
  return put(known, { ...written(known, write), session: session.id, lockIndex });
}

/** Whoever unlocks writes the key as well, as in Consul. */
function planUnlock(known: KvEntry | undefined, write: KvWrite): readonly Change[] | undefined {
  requireGiven(write);
  if (!known || known.session !== write.session.toLowerCase()) return undefined;
  return put(known, { ...written(known, write), session: '', lockIndex: known.lockIndex });
}

function requireGiven({ session }: KvWrite): void {
  if (session === '') throw new VaneError('REGISTRY_INVALID', 'missing session');
}

/** A plain write leaves a lock with its holder, but forgets how often there was one (Consul 1.9). */
function written(known: KvEntry | undefined, { key, value, flags }: KvWrite): Unindexed<KvEntry> {
  return { key, value, flags, lockIndex: 0, session: known?.session ?? '' };
}

function put(known: KvEntry | undefined, entry: Unindexed<KvEntry>): readonly Change[] {
  return known && sameEntry(known, entry) ? [] : [{ op: 'put-kv', entry }];
}
