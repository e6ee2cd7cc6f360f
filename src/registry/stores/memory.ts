import { Emitter } from '../../core/emitter.ts';
import { VaneError } from '../../core/errors.ts';
import type { Committed } from '../model.ts';
import type { RegistryStore } from '../store.ts';
import { Tables } from '../tables.ts';

/** A store that lasts as long as the process. Indexes start after 1, which is what an empty catalog reports. */
export function createMemoryStore(): RegistryStore {
  const tables = new Tables();
  const committed = new Emitter<Committed>();
  let index = 1;
  let closed = false;
  return {
    shared: false,
    async load() {
      return { index, ...tables.rows() };
    },
    async commit(changes, cause) {
      if (closed) throw new VaneError('STORE_FAILED', 'the registry store is closed');
      index += 1;
      for (const change of changes) tables.apply(change, index);
      committed.emit({ index, changes, cause });
      return index;
    },
    onCommitted: (fn) => committed.on(fn),
    async close() {
      closed = true;
    },
  };
}
