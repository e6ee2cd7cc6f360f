import type { VaneError } from '../../core/errors.ts';
import type { PlaneContext } from '../plane/context.ts';
import type { Lease } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import type { LiveFrontend } from '../plane/live-frontend.ts';
import type { Route } from '../rules/route.ts';
import type { Stick } from '../stick/stick.ts';
import type { HedgeResult } from './hedge.ts';
import type { HttpRules } from './rules.ts';
import type { Phase } from './termination.ts';

/** What a life needs of the frontend it belongs to. */
export interface HttpSite {
  readonly frontend: LiveFrontend;
  readonly context: PlaneContext;
  readonly rules: HttpRules;
  readonly route: Route;
  /** No connection of this frontend is to outlive its present request. */
  readonly draining: boolean;
}

/** What is known of a request so far; the access log and the counters read it when it is over. */
export interface HttpRecord {
  backend: LiveBackend | undefined;
  /** The last server tried. */
  lease: Lease | undefined;
  /** Undefined: its backend brings nobody back to any server. */
  stick: Stick | undefined;
  phase: Phase;
  status: number | undefined;
  error: VaneError | undefined;
  termination: string;
  retries: number;
  redispatched: boolean;
  /** Undefined: it was at one server at a time. */
  hedge: HedgeResult | undefined;
  /** How many were before it when it last had to wait. */
  queuedBehind: number;
  /** Milliseconds; undefined: that phase was not reached. */
  queuedMs: number | undefined;
  connectMs: number | undefined;
  responseMs: number | undefined;
}

/** A request of which only the head is known. */
export function newHttpRecord(): HttpRecord {
  return {
    backend: undefined,
    lease: undefined,
    stick: undefined,
    phase: 'request',
    status: undefined,
    error: undefined,
    termination: '--',
    retries: 0,
    redispatched: false,
    hedge: undefined,
    queuedBehind: 0,
    queuedMs: undefined,
    connectMs: undefined,
    responseMs: undefined,
  };
}
