import type { Cancel } from '../../core/clock.ts';

/** Keys, and sessions that hold them, in what several Vanes share: what Consul has under these names. */
export interface SharedKeys {
  /** As last heard of, the same object until it is written again; undefined: there is no such key. */
  entry(key: string): SharedEntry | undefined;
  /** Calls back after every change of a key. */
  watch(key: string, onChange: () => void): Cancel;
  /** Writes a key and holds it by a session; false: another session does, or did a moment ago. */
  acquire(key: string, value: Uint8Array, session: string): Promise<boolean>;
  /** Writes a key and holds it no longer; false: that session does not hold it. */
  release(key: string, value: Uint8Array, session: string): Promise<boolean>;
  /** Writes a key that was last written at this index (0: that is not there); false: it is otherwise. */
  writeAt(key: string, value: Uint8Array, index: number): Promise<boolean>;
  /** Resolves to the id of a session that lets go of its keys when it has not been renewed for `ttl` ms. */
  createSession(name: string, ttl: number, lockDelay: number): Promise<string>;
  /** False: it is over. */
  renewSession(id: string): Promise<boolean>;
  destroySession(id: string): Promise<void>;
}

export interface SharedEntry {
  readonly value: Uint8Array;
  /** Empty: nobody holds it. */
  readonly session: string;
  readonly modifyIndex: number;
}
