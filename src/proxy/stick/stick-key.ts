import { isIPv4, isIPv6 } from 'node:net';
import type { StickFetch, StickTableConfig } from '../../config/runtime/stickiness.ts';
import type { RequestHead } from '../lanes/lane.ts';
import { header, parameter } from '../request/hash-key.ts';
import { cookieValue } from './cookie-header.ts';

type Head = Pick<RequestHead, 'target' | 'path' | 'headers'>;

/** What a client is known by in a table; undefined: there is no such thing, or it is not of the table's type. */
export function stickKey(
  fetch: StickFetch,
  type: Pick<StickTableConfig, 'type' | 'length'>,
  client: string,
  head: Head | undefined,
): string | undefined {
  const text = fetch.kind === 'src' ? client : head && requestText(fetch, head);
  return text === undefined || text === '' ? undefined : tableKey(text, type);
}

/** The same of what a server answers. */
export function answerKey(
  fetch: StickFetch,
  type: Pick<StickTableConfig, 'type' | 'length'>,
  headers: readonly string[],
): string | undefined {
  const text =
    fetch.kind === 'set-cookie'
      ? setCookie(headers, fetch.name)
      : fetch.kind === 'response-hdr'
        ? header(headers, fetch.name)
        : undefined;
  return text === undefined || text === '' ? undefined : tableKey(text, type);
}

function requestText(fetch: StickFetch, head: Head): string | undefined {
  switch (fetch.kind) {
    case 'path':
      return head.path;
    case 'hdr':
      return header(head.headers, fetch.name);
    case 'cookie':
      return cookieValue(head.headers, fetch.name);
    case 'url_param':
      return parameter(head.target, fetch.name);
    default:
      return undefined;
  }
}

/**
 * A text as a key of a table of that type; undefined: it cannot be one. HAProxy's conversions (configuration manual,
 * section 7.3.1), where they lose nothing that tells clients apart.
 */
export function tableKey(
  text: string,
  { type, length }: Pick<StickTableConfig, 'type' | 'length'>,
): string | undefined {
  switch (type) {
    case 'ip': {
      const bare = text.replace(/^::ffff:(?=\d+\.)/i, '');
      return isIPv4(bare) ? bare : undefined;
    }
    case 'ipv6':
      if (isIPv4(text)) return `::ffff:${text}`;
      return isIPv6(text) ? text.toLowerCase() : undefined;
    case 'integer':
      return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? String(Number(text)) : undefined;
    case 'string':
    case 'binary':
      return text.slice(0, length);
  }
}

function setCookie(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [found = '', line = ''] = [headers[i], headers[i + 1]];
    if (found.length !== 10 || found.toLowerCase() !== 'set-cookie') continue;
    if (line.startsWith(name) && line[name.length] === '=') {
      const end = line.indexOf(';');
      return line.slice(name.length + 1, end === -1 ? undefined : end).trim();
    }
  }
  return undefined;
}
