import type { VaneError } from '../core/errors.ts';

/** One server that a name stands for. Two endpoints with the same address and port are the same server. */
export interface Endpoint {
  /** An IP address, or a host name when the registry holds one. */
  readonly address: string;
  readonly port: number;
  /** Relative, at least 0; from SRV or the registry. */
  readonly weight: number;
  /** SRV priority: lower is used first. */
  readonly priority: number;
  /** What people call it: the registry's instance id, or `address:port`. */
  readonly name: string;
}

/** An instance the source knows but leaves out, and why, in words for the log. */
export interface Excluded {
  readonly address: string;
  readonly port: number;
  readonly name: string;
  readonly why: string;
}

/**
 * How a look-up ended. Failure is not emptiness: `ok` with no endpoints says that nobody is there, a failure
 * says nothing at all about the servers, and the last good set stays.
 */
export type Resolution =
  | { readonly ok: true; readonly endpoints: readonly Endpoint[]; readonly excluded: readonly Excluded[] }
  | { readonly ok: false; readonly error: VaneError };

/** A place where names are looked up: the built-in registry, or outside nameservers. */
export interface Resolver {
  /** `builtin` or the id of the `resolvers` section. */
  readonly id: string;
  /** Never rejects: a failure is an answer too. `port` is for answers that carry none (A, AAAA). */
  resolve(name: string, port: number | undefined, signal: AbortSignal): Promise<Resolution>;
  /**
   * Hears of changes at once, where the source can tell. Without it only the interval counts.
   * `fn` says that the name should be looked up now; it may be called more often than needed.
   */
  watch?(name: string, fn: () => void): () => void;
}
