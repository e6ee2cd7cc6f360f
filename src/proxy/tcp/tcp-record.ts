import type { VaneError } from '../../core/errors.ts';
import type { ClientAddress } from '../lanes/lane.ts';
import type { PlaneContext } from '../plane/context.ts';
import type { Lease } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import type { LiveFrontend } from '../plane/live-frontend.ts';
import type { Phase } from '../request/termination.ts';
import type { Route } from '../rules/route.ts';

/** What a session needs of the frontend it belongs to. */
export interface TcpSite {
  readonly frontend: LiveFrontend;
  readonly context: PlaneContext;
  readonly route: Route;
}

/** What is known of a session so far; the access log and the counters read it when it is over. */
export interface TcpRecord {
  readonly client: ClientAddress;
  backend: LiveBackend | undefined;
  /** The last server tried. */
  lease: Lease | undefined;
  phase: Phase;
  error: VaneError | undefined;
  retries: number;
  redispatched: boolean;
  /** How many were before it when it last had to wait. */
  queuedBehind: number;
  /** Milliseconds; undefined: that phase was not reached. */
  queuedMs: number | undefined;
  connectMs: number | undefined;
  bytesToServer: number;
  bytesToClient: number;
}

/** A session that has only just begun. */
export function newTcpRecord(client: ClientAddress): TcpRecord {
  return {
    client,
    backend: undefined,
    lease: undefined,
    phase: 'connect',
    error: undefined,
    retries: 0,
    redispatched: false,
    queuedBehind: 0,
    queuedMs: undefined,
    connectMs: undefined,
    bytesToServer: 0,
    bytesToClient: 0,
  };
}
