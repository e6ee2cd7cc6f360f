import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { AccessEntry } from '../access-entry.ts';
import type { LiveBackend } from './live-backend.ts';

/** What every request and connection of one plane shares. Read anew whenever it is needed: a reload changes it. */
export interface PlaneContext {
  readonly clock: Clock;
  readonly log: Log;
  /** Client connections open in this plane. */
  readonly connections: number;
  /** No connection is to outlive its present request: the plane is being emptied. */
  readonly draining: boolean;
  backend(name: string): LiveBackend | undefined;
  access(entry: AccessEntry): void;
}
