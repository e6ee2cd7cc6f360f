import type { ErrorCode } from '../core/errors.ts';
import type { ClientAddress } from './lanes/lane.ts';

/**
 * One line of the access log as plain values; every field of HAProxy's httplog and tcplog formats
 * (configuration manual, section 8.2), and what the JSON format says besides. Times are milliseconds,
 * −1: that phase was not reached.
 */
export type AccessEntry = HttpAccessEntry | TcpAccessEntry;

interface CommonEntry {
  readonly format: 'haproxy' | 'json';
  readonly client: ClientAddress;
  readonly frontend: string;
  /** The frontend's own name when no backend was chosen. */
  readonly backend: string;
  /** `<NOSRV>` when none was reached. */
  readonly server: string;
  /** The server's address and port; undefined: none was reached. */
  readonly serverId: string | undefined;
  /** %B: from server to client. */
  readonly bytesRead: number;
  /** %U: from client to server. */
  readonly bytesUploaded: number;
  /** Two letters: who ended it, and in which phase; `--` when all went well. */
  readonly termination: string;
  /** %ac %fc %bc %sc: open at the end, this one included. */
  readonly connections: {
    readonly process: number;
    readonly frontend: number;
    readonly backend: number;
    readonly server: number;
  };
  readonly retries: number;
  readonly redispatched: boolean;
  /** %sq %bq: how many were before it. There are no queues before single servers. */
  readonly queues: { readonly server: number; readonly backend: number };
  /** Why it did not end well. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
}

export interface HttpAccessEntry extends CommonEntry {
  readonly mode: 'http';
  /**
   * What became of the client's cookie and of ours (configuration manual, section 8.5): `NI`, `VN`, `DI`, …; undefined:
   * the backend has none.
   */
  readonly cookies?: string | undefined;
  /**
   * It was sent to a second server besides, as the first was slow: `won` where that one answered it; undefined: it was
   * not.
   */
  readonly hedge?: 'won' | 'lost' | undefined;
  /** %tr: wall-clock ms of the request's first byte. */
  readonly at: number;
  /** %TR %Tw %Tc %Tr %Ta. */
  readonly times: {
    readonly request: number;
    readonly queue: number;
    readonly connect: number;
    readonly response: number;
    readonly active: number;
  };
  /** −1: the client got no answer. */
  readonly status: number;
  /** `<BADREQ>` when the head could not be read. */
  readonly request: RequestLine | undefined;
  readonly host: string;
}

export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
}

export interface TcpAccessEntry extends CommonEntry {
  readonly mode: 'tcp';
  /** %t: wall-clock ms of the accept. */
  readonly at: number;
  /** %Tw %Tc %Tt. */
  readonly times: { readonly queue: number; readonly connect: number; readonly total: number };
}
