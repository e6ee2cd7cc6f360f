import { type ServerSnapshot, serverId } from '../../balance/server.ts';
import type { StickTableConfig } from '../../config/runtime/stickiness.ts';
import { serverValue } from './cookie-value.ts';

/** What a server is known by to clients and tables. */
interface Known {
  readonly value: string;
  readonly key: string;
}

/** The servers of a backend by what stands in cookies and tables for them. A change costs what it changes. */
export class StickyServers {
  readonly #cookieKey: string;
  readonly #serverKey: StickTableConfig['serverKey'];
  readonly #known = new Map<string, Known & { readonly name: string; readonly cookie: string | undefined }>();
  readonly #byValue = new Map<string, string>();
  readonly #byKey = new Map<string, string>();

  /** @param cookieKey what values of cookies are made with */
  constructor(cookieKey: string, serverKey: StickTableConfig['serverKey']) {
    this.#cookieKey = cookieKey;
    this.#serverKey = serverKey;
  }

  set(snapshot: ServerSnapshot): void {
    const { id, name, cookie, address, port } = snapshot;
    const before = this.#known.get(id);
    if (before && before.name === name && before.cookie === cookie) return;
    this.delete(id);
    const value = cookie ?? serverValue(this.#cookieKey, name);
    const key = this.#serverKey === 'name' ? name : serverId(address, port);
    this.#known.set(id, { name, cookie, value, key });
    this.#byValue.set(value, id);
    this.#byKey.set(key, id);
  }

  delete(id: string): void {
    const known = this.#known.get(id);
    if (!known) return;
    this.#known.delete(id);
    // Another one may have taken over what it was known by.
    if (this.#byValue.get(known.value) === id) this.#byValue.delete(known.value);
    if (this.#byKey.get(known.key) === id) this.#byKey.delete(known.key);
  }

  /** Id of the server that the value of a cookie stands for. */
  byValue(value: string): string | undefined {
    return this.#byValue.get(value);
  }

  /** Id of the server that an entry of a table stands for. */
  byKey(key: string): string | undefined {
    return this.#byKey.get(key);
  }

  /** What stands for the server; undefined: it is gone. */
  of(id: string): Known | undefined {
    return this.#known.get(id);
  }
}
