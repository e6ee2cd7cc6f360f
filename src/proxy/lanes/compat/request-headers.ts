import type { BodyFraming } from './request-head.ts';

/** Methods whose requests say that their body is empty (RFC 9110, section 8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The fields of the lane's own connection to the server and of the message on it. Flat: name, then value. */
export function ownHeaders(method: string, body: BodyFraming, upgrade: boolean): string[] {
  if (upgrade) return ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
  const headers = ['Connection', 'keep-alive'];
  if (body === 'chunked') headers.push('Transfer-Encoding', 'chunked');
  else if (body !== 'none') headers.push('Content-Length', String(body));
  else if (WITH_BODY.has(method)) headers.push('Content-Length', '0');
  return headers;
}

/**
 * A flat list as Node's requests take it: fields of one name together, in the order and case of their first. The
 * table has no prototype, so that a field named `__proto__` is one like any other.
 */
export function headerTable(headers: readonly string[]): Record<string, string[]> {
  const table: Record<string, string[]> = Object.create(null);
  const spellings = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const spelling = spellings.get(name.toLowerCase());
    if (spelling !== undefined) table[spelling]?.push(value);
    else {
      spellings.set(name.toLowerCase(), name);
      table[name] = [value];
    }
  }
  return table;
}
