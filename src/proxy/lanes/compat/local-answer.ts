import { http } from '../../../core/http.ts';
import type { LocalResponse } from '../lane.ts';

/** Fields that say how long an answer of our own is; none where no body may be (RFC 9110, section 8.6). */
export function lengthHeaders({ status, body }: LocalResponse): string[] {
  return isBodyless(status) ? [] : ['Content-Length', String(Buffer.byteLength(body))];
}

export function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}

/**
 * An answer on the wire to what was no request, with the connection closed behind it.
 * @param wall epoch milliseconds
 */
export function renderClosing(response: LocalResponse, wall: number): string {
  const date = new Date(wall).toUTCString();
  const headers = [...response.headers, ...lengthHeaders(response), 'Date', date, 'Connection', 'close'];
  let text = `HTTP/1.1 ${response.status} ${http.STATUS_CODES[response.status] ?? ''}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n${isBodyless(response.status) ? '' : response.body}`;
}
