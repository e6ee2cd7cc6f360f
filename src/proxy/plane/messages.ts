import type { OutlierCause } from '../../balance/outlier.ts';
import type { ServerChange, ServerSet } from '../../balance/server.ts';
import type { BackendConfig } from '../../config/runtime/backends.ts';
import type { BindAddress } from '../../config/runtime/binds.ts';
import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import type { OnError } from '../../config/runtime/servers.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { StickEntry } from '../stick/stick-table.ts';
import type { TableAnswer, TableQuestion } from '../stick/table-question.ts';
import type { PlaneCounters } from './counters.ts';

/**
 * All that control and data say to each other: plain values that survive a structured clone, so that the data
 * plane can be in this process or in another. The control process decides; the plane obeys and reports.
 */
export type ToPlane =
  /**
   * Replaces frontends and backends whole. Either every listener of it is bound and it takes effect at once,
   * or nothing changes (`rejected`). Listeners whose address stays keep their socket. `sets` are the servers of
   * backends that were not there before, so that no request finds a new backend empty.
   */
  | {
      readonly type: 'config';
      readonly generation: number;
      readonly maxconn: number;
      /** Idle client connections are ended over this time when they have to go, ms. */
      readonly closeSpread: number;
      readonly frontends: readonly FrontendConfig[];
      readonly backends: readonly BackendConfig[];
      readonly sets: readonly ServerSet[];
    }
  /** Replaces the servers of one backend. Servers no longer in it are gone: work still on them is cut. */
  | { readonly type: 'servers'; readonly set: ServerSet }
  /**
   * Changes the servers of one backend, and says nothing of the others, however many there are. A plane that does not
   * know the servers which it changes answers `missed`.
   */
  | { readonly type: 'change'; readonly change: ServerChange }
  /** What another plane remembers of clients: see `stick/`. */
  | { readonly type: 'stick'; readonly backend: string; readonly entries: readonly StickEntry[] }
  /** Asks for what the plane remembers of clients, in `stuck` messages: another one has just begun. */
  | { readonly type: 'teach' }
  /** Asks for one `table` message with the same id, once what the question says is done. */
  | {
      readonly type: 'table';
      readonly id: number;
      readonly backend: string;
      readonly question: TableQuestion;
    }
  /** What TLS sessions are resumed with from now on: the same for all planes. */
  | { readonly type: 'tickets'; readonly key: Uint8Array }
  /** Asks for one `counters` message with the same id. */
  | { readonly type: 'collect'; readonly id: number }
  /**
   * No new connections; keep-alive clients are sent away with their next answer, or after a while without a request;
   * all is cut after `withinMs`.
   */
  | { readonly type: 'drain'; readonly withinMs: number };

export type FromPlane =
  | { readonly type: 'applied'; readonly generation: number; readonly listening: readonly Listening[] }
  | {
      readonly type: 'rejected';
      readonly generation: number;
      readonly problems: readonly BindProblem[];
      /** What is wrong besides the problems. */
      readonly why?: string;
    }
  /** A draining server holds no more work in this plane. Sent once per drain. */
  | {
      readonly type: 'idle';
      readonly backend: string;
      readonly server: string;
      /** Of the set by which it was draining then. */
      readonly revision: number;
    }
  /** The plane needs the whole set of a backend: it has missed a change. Said once until it has it. */
  | { readonly type: 'missed'; readonly backend: string }
  /** Live traffic met a fault of a server; at most a few a second per server and code. */
  | {
      readonly type: 'trouble';
      readonly backend: string;
      readonly server: string;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** New work passes a server over for what it did to its work, or does so no more. */
  | {
      readonly type: 'steered';
      readonly backend: string;
      readonly server: string;
      readonly out: boolean;
      readonly cause: OutlierCause;
      readonly why: string;
      /** Until it is tried again, ms. */
      readonly forMs: number;
    }
  /** The plane remembers whose clients are; said where there are other planes that want to know. */
  | { readonly type: 'stuck'; readonly backend: string; readonly entries: readonly StickEntry[] }
  /** The work of a server has met so many errors in a row (`observe`). */
  | {
      readonly type: 'observed';
      readonly backend: string;
      readonly server: string;
      readonly errors: number;
      readonly onError: OnError;
    }
  | { readonly type: 'counters'; readonly id: number; readonly counters: PlaneCounters }
  /** Undefined: the backend has no table. */
  | { readonly type: 'table'; readonly id: number; readonly answer: TableAnswer | undefined }
  /** The answer to `drain`: everything has ended; `cut` counts what the deadline had to end. */
  | { readonly type: 'drained'; readonly cut: number };

/** What a plane says without being asked. */
export type PlaneNews = Extract<
  FromPlane,
  { type: 'idle' | 'missed' | 'trouble' | 'steered' | 'observed' | 'stuck' }
>;

export interface Listening {
  readonly frontend: string;
  /** As configured. */
  readonly bind: BindAddress;
  /** The port really bound, which differs where port 0 was asked for. */
  readonly port: number;
}

export interface BindProblem {
  readonly frontend: string;
  readonly bind: BindAddress;
  readonly message: string;
}
