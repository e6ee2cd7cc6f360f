import type { BindAddress } from './binds.ts';

export interface GlobalConfig {
  readonly node: string;
  readonly datacenter: string;
  /** Absolute. Undefined: nothing is written to disk. */
  readonly dataDir: string | undefined;
  /** Data-plane processes; 0: frontends run in the control process. */
  readonly workers: number;
  /** Client connections accepted at once by all frontends together. */
  readonly maxconn: number;
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
    readonly format: 'json' | 'pretty';
  };
  /** Undefined when the file says `stats: off`. */
  readonly stats: { readonly bind: BindAddress } | undefined;
  /** From TERM on: how long connections are still accepted, ms (HAProxy: grace). */
  readonly grace: number;
  /** Idle client connections are ended over this time when their process is to end, ms (HAProxy: close-spread-time). */
  readonly closeSpread: number;
  /** How long a graceful stop may take, and requests of a worker that was replaced, ms (HAProxy: hard-stop-after). */
  readonly hardStopAfter: number;
  /** By how many percent the time between two checks of a server varies (HAProxy: spread-checks). */
  readonly spreadChecks?: number;
  /** Absolute. Where the process id is told; undefined: nowhere (HAProxy: pidfile). */
  readonly pidfile: string | undefined;
}
