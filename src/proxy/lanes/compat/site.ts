import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import type { ClientAddress, RequestHead } from '../lane.ts';
import type { KeptBody } from './kept-body.ts';
import type { ClientReply } from './reply.ts';
import type { BodyFraming } from './request-head.ts';

/** The client of one request, by whatever version of HTTP it came. */
export interface ClientSide {
  /** The request's body. */
  readonly incoming: Readable;
  /** What attempts have taken of it. */
  readonly kept: KeptBody;
  readonly reply: ClientReply;
  /** What the answer goes into; says `drain` when there is room again. */
  readonly taker: Writable;
  /** The connection, for protocols to be switched on it; undefined: they cannot be. */
  readonly upgradable: UpgradableClient | undefined;
  /** Nothing reaches the client any more. */
  readonly gone: boolean;
  /** The body has not come whole, and nobody will read it: known before the answer is sent. */
  readonly unread: boolean;
  /** Of this request so far, heads included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Breaks off what is under way, so that the client cannot take it for whole. */
  cut(): void;
}

export interface UpgradableClient {
  readonly socket: Socket;
  /** What the client sent behind the head. */
  readonly first: Buffer | undefined;
}

/** What an attempt has of the client's side. */
export interface AttemptSite {
  readonly head: RequestHead;
  readonly body: BodyFraming;
  readonly client: ClientAddress;
  readonly side: ClientSide;
  readonly clock: Clock;
  /** Milliseconds; 0: no limit. */
  readonly clientTimeout: number;
  /** The client was silent for too long. To be answered by the attempt's `cancel`. */
  readonly onStalled: (error: VaneError) => void;
}
