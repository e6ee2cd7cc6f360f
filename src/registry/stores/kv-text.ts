import type { KvEntry, Unindexed } from '../model.ts';
import { isNumber, isString } from './guards.ts';
import { decoder } from './rows.ts';

/** JSON has no bytes: the value is in base64. */
export type WrittenEntry = Omit<Unindexed<KvEntry>, 'value'> & { readonly value: string };

export const decodeEntry = decoder<WrittenEntry>({
  key: isString,
  value: isString,
  flags: (value): value is string => isString(value) && /^\d{1,20}$/.test(value),
  lockIndex: isNumber,
  session: isString,
});

export function writtenEntry({ key, value, flags, lockIndex, session }: Unindexed<KvEntry>): WrittenEntry {
  return { key, value: Buffer.from(value).toString('base64'), flags, lockIndex, session };
}

export function readEntry({ key, value, flags, lockIndex, session }: WrittenEntry): Unindexed<KvEntry> {
  return { key, value: Buffer.from(value, 'base64'), flags, lockIndex, session };
}
