import type { Refused } from '../../request/strict.ts';
import { type ResponseHead, readResponseHead } from '../compat/response-head.ts';
import type { BodyLength } from './body-reader.ts';
import { readConnectionOptions } from './connection-options.ts';
import type { HeadParser } from './head-parser.ts';

/** What a server's final answer begins with, and how it goes on. */
export interface Answer {
  /** As the client gets it: end-to-end fields and Content-Length. Flat: name, then value. */
  readonly headers: readonly string[];
  /** Its end is known without closing the connection: it has a length, or no body. */
  readonly framed: boolean;
  readonly length: BodyLength;
  /** The connection may carry another request after it. */
  readonly reusable: boolean;
}

const DIGITS = /^\d{1,15}$/;

/** Reads the head of the answer to a request made with `method`. Refuses what two readers could frame differently. */
export function readAnswer(method: string, parsed: HeadParser): Answer | Refused {
  const { httpVersion, headers } = parsed;
  const head = readResponseHead(method, parsed);
  if ('refused' in head) return head;
  if (head.length !== undefined && !DIGITS.test(head.length)) return { refused: 'bad Content-Length' };
  const length = lengthOf(head);
  const { persistent } = readConnectionOptions(httpVersion, headers);
  const reusable = persistent && length !== 'close' && !head.contradictory;
  return { headers: head.headers, framed: head.framed, length, reusable };
}

function lengthOf({ bodyless, length, chunked }: ResponseHead): BodyLength {
  if (bodyless) return 0;
  if (length !== undefined) return Number(length);
  return chunked ? 'chunked' : 'close';
}

/** Whether a 101 switches to WebSocket. */
export function isWebSocketSwitch({ httpVersion, headers }: HeadParser): boolean {
  const { upgrade, protocols } = readConnectionOptions(httpVersion, headers);
  return upgrade && protocols.length === 1 && protocols[0]?.toLowerCase() === 'websocket';
}
