import type { Cores } from '../machine.ts';
import type { Processes } from '../processes.ts';

/** What a part of this benchmark works with. */
export interface Place {
  readonly processes: Processes;
  readonly cores: Cores;
  readonly folder: string;
  /** Told what is going on now. */
  readonly progress: (text: string) => void;
  /** Of one load on one proxy. */
  readonly seconds: number;
  readonly rounds: number;
  readonly sessions: number;
  /** Where MySQL's protocol is spoken without a proxy. */
  readonly port: number;
}
