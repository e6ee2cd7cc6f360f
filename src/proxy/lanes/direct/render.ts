import type { BodyFraming } from '../compat/request-head.ts';
import { headerTable, ownHeaders } from '../compat/request-headers.ts';
import type { Attempt, RequestHead } from '../lane.ts';

/** What the client is told besides what the answer says itself. */
export interface AnswerFraming {
  /** Connection; undefined: nothing is said about it. */
  readonly connection: 'close' | 'keep-alive' | undefined;
  readonly chunked: boolean;
  /** The present time, for answers that give none. */
  readonly date: string;
}

/** The head of an answer on the wire. */
export function renderAnswer(
  status: number,
  reason: string,
  headers: readonly string[],
  { connection, chunked, date }: AnswerFraming,
): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  let dated = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    dated ||= name.length === 4 && name.toLowerCase() === 'date';
    text += `${name}: ${headers[i + 1]}\r\n`;
  }
  if (connection !== undefined) text += `Connection: ${connection}\r\n`;
  if (!dated) text += `Date: ${date}\r\n`;
  return chunked ? `${text}Transfer-Encoding: chunked\r\n\r\n` : `${text}\r\n`;
}

/** A head without anything added. */
export function renderHead(firstLine: string, headers: readonly string[]): string {
  return `${firstLine}\r\n${renderFields(headers)}\r\n`;
}

export function renderFields(headers: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return text;
}

/** The head of a request on the wire; undefined: it cannot be sent, since what rules made of it is no head. */
export function renderRequest(head: RequestHead, framing: BodyFraming, attempt: Attempt): string | undefined {
  const { server, target, headers, vetted } = attempt;
  if (!vetted && !(TARGET.test(target) && isSound(headers, head.headers))) return undefined;
  let text = `${head.method} ${target} HTTP/1.1\r\n`;
  // Only clients of HTTP/1.0 may leave it out (RFC 9112, section 3.2).
  if (!hasHost(headers)) text += `Host: ${authority(server.address, server.port)}\r\n`;
  text += renderFields(hasRepeated(headers) ? grouped(headers) : headers);
  if (framing === 'none' && head.method === 'GET' && !head.upgrade) return text + PLAIN_END;
  return text + renderEnd(head.method, framing, head.upgrade);
}

/** The lane's own fields and the empty line. */
function renderEnd(method: string, framing: BodyFraming, upgrade: boolean): string {
  return `${renderFields(ownHeaders(method, framing, upgrade))}\r\n`;
}

const PLAIN_END = renderEnd('GET', 'none', false);

const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether all may go over the wire: what the client sent has been parsed; what rules added has not. */
function isSound(headers: readonly string[], parsed: readonly string[]): boolean {
  let at = 0;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    while (at < parsed.length && (parsed[at] !== name || parsed[at + 1] !== value)) at += 2;
    if (at < parsed.length) at += 2;
    else if (!NAME.test(name) || !VALUE.test(value)) return false;
  }
  return true;
}

/** Whether every field may go over the wire. */
export function isSendable(headers: readonly string[]): boolean {
  return isSound(headers, []);
}

function hasHost(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') return true;
  }
  return false;
}

function authority(address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === 80 ? host : `${host}:${port}`;
}

/** So many fields are compared with each other; more are not, and taken for such as may repeat. */
const FEW_FIELDS = 32;

/** Whether two fields may have the same name, whatever their case. */
function hasRepeated(headers: readonly string[]): boolean {
  if (headers.length > 2 * FEW_FIELDS) return true;
  for (let i = 2; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const first = name.charCodeAt(0) | CASE;
    for (let j = 0; j < i; j += 2) {
      const other = headers[j] ?? '';
      if (other.length === name.length && (other.charCodeAt(0) | CASE) === first && alike(other, name))
        return true;
    }
  }
  return false;
}

/** What tells small letters from capital ones. */
const CASE = 0x20;

function alike(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Fields of one name together, in the order and case of their first: as the compat lane sends them. */
function grouped(headers: readonly string[]): string[] {
  return Object.entries(headerTable(headers)).flatMap(([name, values]) =>
    values.flatMap((value) => [name, value]),
  );
}
