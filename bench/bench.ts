import type { Cores } from './machine.ts';
import type { Origin } from './origin.ts';
import type { Control, Peer } from './peers/peer.ts';
import type { Processes, Running } from './processes.ts';

/** What scenarios work with. */
export interface Bench {
  readonly processes: Processes;
  readonly cores: Cores;
  readonly origin: Origin;
  /** The Node that Vane is pinned to. */
  readonly node: string;
  /** For temporary files; deleted at the end. */
  readonly folder: string;
}

/** A peer that runs. */
export interface Target {
  readonly peer: Peer;
  readonly running: Running;
  readonly port: number;
  readonly control?: Control;
}
