import type { RequestHead } from '../lanes/lane.ts';

/** Fields about one connection or one message's framing (RFC 9110, section 7.6.1): never passed on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a client cannot have removed by naming it in Connection (CVE-2024-45410 and its kin). */
const PROTECTED: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
]);

const FORWARDED_FOR = 'x-forwarded-for';
const FORWARDED: ReadonlySet<string> = new Set([FORWARDED_FOR, 'x-forwarded-host', 'x-forwarded-proto']);

/**
 * The end-to-end fields of a request, in their order and case: without those of the connection and of the framing,
 * and without what Connection lists. Flat: name, then value.
 */
export function endToEndHeaders(headers: readonly string[]): string[] {
  const listed = connectionOptions(headers);
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || (listed.has(lower) && !PROTECTED.has(lower))) continue;
    kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}

function connectionOptions(headers: readonly string[]): ReadonlySet<string> {
  const options = new Set<string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== 'connection') continue;
    for (const option of (headers[i + 1] ?? '').split(',')) options.add(option.trim().toLowerCase());
  }
  return options;
}

/**
 * Says by what scheme and under what name the request came, whatever the client claims. Spellings that servers
 * take for the same names as ours (X_Forwarded_For) are removed: nobody but us says these.
 */
export function claimForwarded(head: RequestHead): string[] {
  const { headers, secure, host } = head;
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const lower = name.toLowerCase();
    if (FORWARDED.has(lower.replaceAll('_', '-')) && lower !== FORWARDED_FOR) continue;
    kept.push(name, headers[i + 1] ?? '');
  }
  kept.push('X-Forwarded-Proto', secure ? 'https' : 'http');
  if (host !== '') kept.push('X-Forwarded-Host', host);
  return kept;
}

/** Replaces every field of that name by one at the end; undefined removes them. `name` in lower case. */
export function withHeader(headers: readonly string[], name: string, value: string | undefined): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== name.toLowerCase()) kept.push(headers[i] ?? '', headers[i + 1] ?? '');
  }
  if (value !== undefined) kept.push(name, value);
  return kept;
}
