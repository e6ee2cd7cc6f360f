import { Emitter } from '../../core/emitter.ts';
import { VaneError } from '../../core/errors.ts';
import type { Cause, Change, Committed } from '../model.ts';
import type { RegistryStore } from '../store.ts';
import { Tables } from '../tables.ts';

/** A store that lasts as long as the process. Indexes start after 1, which is what an empty catalog reports. */
export function createMemoryStore(): RegistryStore {
  const tables = new Tables();
  const committed = new Emitter<Committed>();
  let index = 1;
  let closed = false;
  const commit = async (changes: readonly Change[], cause: Cause, least = 0) => {
    if (closed) throw new VaneError('STORE_FAILED', 'the registry store is closed');
    index = Math.max(index + 1, least);
    for (const change of changes) tables.apply(change, index);
    committed.emit({ index, changes, cause });
    return index;
  };
  return {
    shared: false,
    trouble: undefined,
    failures: 0,
    async load() {
      return { index, ...tables.rows() };
    },
    commit,
    commitReports: (reports, cause) => commit(reports, cause),
    settle: async () => {},
    onCommitted: (fn) => committed.on(fn),
    async close() {
      closed = true;
    },
  };
}
