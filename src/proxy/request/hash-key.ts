import { hashText } from '../../balance/hash.ts';
import type { BalanceAlgorithm, HashSubject } from '../../config/runtime/balance.ts';
import type { RequestHead } from '../lanes/lane.ts';

/**
 * What a piece of work is hashed by; undefined: its backend hashes nothing, or the work lacks what is hashed.
 *
 * @param head undefined for a connection that is no HTTP
 */
export function hashKey(
  balance: BalanceAlgorithm,
  client: string,
  head: Pick<RequestHead, 'target' | 'path' | 'headers'> | undefined,
): number | undefined {
  if (balance.kind !== 'hash') return undefined;
  const text = subjectOf(balance.by, client, head);
  return text === undefined ? undefined : hashText(text, balance.hash.function, balance.hash.avalanche);
}

function subjectOf(
  by: HashSubject,
  client: string,
  head: Pick<RequestHead, 'target' | 'path' | 'headers'> | undefined,
): string | undefined {
  if (by.kind === 'source') return client === '' ? undefined : client;
  if (!head) return undefined;
  switch (by.kind) {
    case 'uri':
      return uriOf(by, head);
    case 'url_param':
      return parameter(head.target, by.name);
    case 'hdr':
      return header(head.headers, by.name);
  }
}

/** `len` and `depth` as HAProxy counts them: characters from the first slash on, and slashes passed. */
function uriOf(
  { whole, len, depth }: Extract<HashSubject, { kind: 'uri' }>,
  { target, path }: Pick<RequestHead, 'target' | 'path'>,
): string {
  const query = whole ? target.indexOf('?') : -1;
  let text = query === -1 ? path : path + target.slice(query);
  if (len > 0) text = text.slice(0, len);
  if (depth === 0) return text;
  let at = 0;
  for (let left = depth; left > 0; left--) {
    const next = text.indexOf('/', at + 1);
    if (next === -1) return text;
    at = next;
  }
  return text.slice(0, at);
}

/** The first value of a parameter of the query string, as it is written. */
export function parameter(target: string, name: string): string | undefined {
  for (let at = target.indexOf('?'); at !== -1; at = target.indexOf('&', at + 1)) {
    const from = at + 1 + name.length;
    if (!target.startsWith(name, at + 1) || target[from] !== '=') continue;
    const end = target.indexOf('&', from);
    const value = target.slice(from + 1, end === -1 ? undefined : end);
    if (value !== '') return value;
  }
  return undefined;
}

/** Of the first line of a header, whose name is in lower case. */
export function header(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === name) return headers[i + 1] || undefined;
  }
  return undefined;
}
