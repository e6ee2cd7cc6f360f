import type { Cancel } from '../core/clock.ts';
import type { VaneError } from '../core/errors.ts';

/** One server that a name stands for. Two endpoints with the same address, port and name are the same server. */
export interface Endpoint {
  /** An IP address in its one canonical spelling, or a host name (lower case) when the registry holds one. */
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Relative, at least 0; from SRV or the registry. */
  readonly weight: number;
  /** SRV priority: lower is used first; only their order means something. 0 where the source has none. */
  readonly priority: number;
  /** The registry's instance id, or `address:port`. Not unique. */
  readonly name: string;
  /** The host name whose address record this is: an SRV target, or the name itself. Unset by the registry. */
  readonly host?: string;
}

/** An instance the source knows but leaves out, and why, in words for the log. */
export interface Excluded {
  /** As the source has it: an address or a host name, perhaps nothing at all. */
  readonly address: string;
  /** As the source has it: 0 where it has none. */
  readonly port: number;
  readonly name: string;
  readonly why: string;
}

/**
 * How a look-up ended. Failure is not emptiness: `ok` with no endpoints says that nobody is there, a failure
 * says nothing at all about the servers, and the last good set stays.
 */
export type Resolution =
  | {
      readonly ok: true;
      readonly endpoints: readonly Endpoint[];
      readonly excluded: readonly Excluded[];
      /** Part of it is from the last good answer, or whoever gave it is not who should: why. */
      readonly gap?: VaneError;
      /** Clock ms at which it was given, where that was before now: an answer that is taken once more. */
      readonly answeredAt?: number;
      /** The name should be looked up again after so many ms; what comes first, this or the interval, counts. */
      readonly lookAgain?: number;
    }
  | {
      readonly ok: false;
      readonly error: VaneError;
      /**
       * What is left of the last good answer, where the user has said how long that is to be believed and the time is
       * over for some of it. Left out, as a rule: all of it.
       */
      readonly remaining?: {
        readonly endpoints: readonly Endpoint[];
        readonly excluded: readonly Excluded[];
      };
      readonly lookAgain?: number;
    };

/** A place where names are looked up: the built-in registry, or outside nameservers. */
export interface Resolver {
  /** `builtin` or the id of the `resolvers` section. */
  readonly id: string;
  /**
   * Never rejects: a failure is an answer too.
   * @param port stands in for whatever port the answer carries; needed where it carries none (A, AAAA)
   * @param last the endpoints of the last good answer, for the part of this one that is not to be had
   */
  resolve(
    name: string,
    port: number | undefined,
    signal: AbortSignal,
    last: readonly Endpoint[],
  ): Promise<Resolution>;
  /**
   * Hears of changes at once, where the source can tell. Without it only the interval counts.
   * `fn` says that the name should be looked up now; it may be called more often than needed.
   */
  watch?(name: string, fn: () => void): Cancel;
}
