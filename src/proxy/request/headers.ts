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
 * A client's fields without those that its Connection lists: they are for us alone. To be done before anything of
 * ours is added, or a client could have that removed by naming it. Flat lists: name, then value.
 */
export function withoutListed(headers: readonly string[]): string[] {
  const listed = connectionOptions(headers);
  return without(headers, (name) => listed.has(name) && !HOP_BY_HOP.has(name) && !PROTECTED.has(name));
}

/** The fields that are for the server, in their order and case: none of the connection and of the framing. */
export function endToEndHeaders(headers: readonly string[]): string[] {
  return without(headers, (name) => HOP_BY_HOP.has(name));
}

/** Without the fields whose name, in lower case, `drops` says. */
function without(headers: readonly string[], drops: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!drops(name.toLowerCase())) kept.push(name, headers[i + 1] ?? '');
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
  const kept = without(headers, (name) => FORWARDED.has(name.replaceAll('_', '-')) && name !== FORWARDED_FOR);
  kept.push('X-Forwarded-Proto', secure ? 'https' : 'http');
  if (host !== '') kept.push('X-Forwarded-Host', host);
  return kept;
}

/** Replaces every field of that name, whatever its case, by one at the end; undefined removes them. */
export function withHeader(headers: readonly string[], name: string, value: string | undefined): string[] {
  const kept = without(headers, (other) => other === name.toLowerCase());
  if (value !== undefined) kept.push(name, value);
  return kept;
}

/**
 * Says whom the request is for where the client has said it in the request-target only: servers get the target
 * without it (RFC 9112, section 3.2.1).
 */
export function withHost(headers: readonly string[], host: string): readonly string[] {
  const said = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
  return said || host === '' ? headers : ['Host', host, ...headers];
}
