import type { Refused } from '../../request/strict.ts';
import { valuesOf } from '../compat/request-head.ts';
import { type ResponseHead, readResponseHead } from '../compat/response-head.ts';
import type { BodyLength } from './body-reader.ts';
import { readConnectionOptions } from './connection-options.ts';
import type { HeadParser } from './head-parser.ts';

/** What a server's final answer begins with, and how it goes on. */
export interface Answer extends ResponseHead {
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
  const [length] = valuesOf(headers, 'content-length');
  if (length !== undefined && !DIGITS.test(length)) return { refused: 'bad Content-Length' };
  const options = readConnectionOptions(httpVersion, headers);
  const bodyLength = lengthOf(head, length, headers);
  const reusable = options.persistent && bodyLength !== 'close' && !head.contradictory;
  return { ...head, length: bodyLength, reusable };
}

function lengthOf(head: ResponseHead, length: string | undefined, headers: readonly string[]): BodyLength {
  if (head.bodyless) return 0;
  if (length !== undefined) return Number(length);
  return valuesOf(headers, 'transfer-encoding').length > 0 ? 'chunked' : 'close';
}

/** Whether a 101 switches to WebSocket. */
export function isWebSocketSwitch({ httpVersion, headers }: HeadParser): boolean {
  const { upgrade, protocols } = readConnectionOptions(httpVersion, headers);
  return upgrade && protocols.length === 1 && protocols[0]?.toLowerCase() === 'websocket';
}
