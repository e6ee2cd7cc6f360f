import type { TokenGrant } from '../../config/runtime/registry.ts';
import { fold } from '../../registry/fold.ts';
import { Refusal } from './refusal.ts';

/**
 * Keys by which Vane itself is told something, such as which servers are out of use: whoever may write all keys, or those
 * that begin with an underscore, is not thought to mean these.
 */
const VANES_KEYS = '_vane/';

type Policy = TokenGrant['policy'];

/** What somebody may do: everything that any of the grants allows. */
export class Rights {
  /** The token's name, or what stands for it; undefined: none was shown. */
  readonly holder: string | undefined;
  /** Everything, the process included. */
  readonly admin: boolean;
  /** Something can be seen: the nodes at least. */
  readonly reads: boolean;
  /** Something can be written: sessions at least. */
  readonly registers: boolean;
  readonly #seenServices: Names;
  readonly #ownServices: Names;
  readonly #seenKeys: Names;
  readonly #ownKeys: Names;
  /** Of {@link VANES_KEYS}. */
  readonly #ownVanes: Names;
  readonly #ownNodes: Names;

  constructor(grants: readonly Omit<TokenGrant, 'hash'>[], holder?: string) {
    this.holder = holder;
    const writing = grants.filter(({ policy }) => policy !== 'read');
    const has = (policy: Policy) => grants.some((grant) => grant.policy === policy);
    this.admin = has('admin');
    this.reads = grants.length > 0;
    this.registers = writing.length > 0;
    this.#seenServices = new Names(grants.flatMap(({ services }) => services.map(fold)));
    this.#ownServices = new Names(writing.flatMap(({ services }) => services.map(fold)));
    this.#seenKeys = new Names(grants.flatMap(({ keys }) => keys));
    const ownKeys = writing.flatMap(({ keys }) => keys);
    this.#ownKeys = new Names(ownKeys);
    this.#ownVanes = new Names(ownKeys.filter((pattern) => pattern.startsWith(VANES_KEYS)));
    this.#ownNodes = new Names(writing.flatMap(({ nodes }) => nodes.map(fold)));
  }

  readsService(name: string): boolean {
    return this.admin || this.#seenServices.has(fold(name));
  }

  registersService(name: string): boolean {
    return this.admin || this.#ownServices.has(fold(name));
  }

  /** All services and keys there can be. */
  get readsEverything(): boolean {
    return this.admin || (this.#seenServices.hasAllUnder('') && this.#seenKeys.hasAllUnder(''));
  }

  /** The same, of all nodes. */
  get writesEverything(): boolean {
    return (
      this.admin || [this.#ownServices, this.#ownKeys, this.#ownNodes].every((own) => own.hasAllUnder(''))
    );
  }

  readsKey(key: string): boolean {
    return this.admin || this.#seenKeys.has(key);
  }

  /** All keys that begin so, whether they are there or not. */
  readsKeysUnder(prefix: string): boolean {
    return this.admin || this.#seenKeys.hasAllUnder(prefix);
  }

  writesKey(key: string): boolean {
    return this.admin || (this.#ownKeys.has(key) && !key.startsWith(VANES_KEYS)) || this.#ownVanes.has(key);
  }

  /** All keys that begin so, whether they are there or not. */
  writesKeysUnder(prefix: string): boolean {
    const hasVanes = prefix.startsWith(VANES_KEYS) || VANES_KEYS.startsWith(prefix);
    return this.admin || (hasVanes ? this.#ownVanes : this.#ownKeys).hasAllUnder(prefix);
  }

  writesNode(name: string): boolean {
    return this.admin || this.#ownNodes.has(fold(name));
  }
}

/** Names, and beginnings of names with `*` behind. */
class Names {
  readonly #exact: ReadonlySet<string>;
  readonly #beginnings: readonly string[];

  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
    this.#beginnings = patterns.filter((pattern) => pattern.endsWith('*')).map((each) => each.slice(0, -1));
  }

  has(name: string): boolean {
    return this.#exact.has(name) || this.hasAllUnder(name);
  }

  hasAllUnder(prefix: string): boolean {
    return this.#beginnings.some((beginning) => prefix.startsWith(beginning));
  }
}

/** In Consul's words. */
export const PERMISSION_DENIED = 'Permission denied';

/** Throws Consul's 403 unless `allowed`. */
export function demand(allowed: boolean): void {
  if (!allowed) throw new Refusal(403, PERMISSION_DENIED);
}
