import type { RequestHead } from '../lanes/lane.ts';
import { connectionWords } from './connection-words.ts';

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

/** Whether a set of names in lower case has this one. Most names are told by their length: no copy is made of them. */
type Names = (name: string) => boolean;

function namesIn(set: ReadonlySet<string>): Names {
  const lengths = new Uint8Array(256);
  for (const { length } of set) lengths[length] = 1;
  return (name) => lengths[name.length] === 1 && set.has(name.toLowerCase());
}

const isHopByHop = namesIn(HOP_BY_HOP);
const isConnection = namesIn(new Set(['connection']));
const isHost = namesIn(new Set(['host']));

/**
 * A client's fields without those that its Connection lists: they are for us alone. To be done before anything of
 * ours is added, or a client could have that removed by naming it. Flat lists: name, then value.
 */
export function withoutListed(headers: readonly string[]): readonly string[] {
  const listed = connectionOptions(headers);
  return listed.size === 0 ? headers : without(headers, (name) => listed.has(name.toLowerCase()));
}

/** The fields that are for the server, in their order and case: none of the connection and of the framing. */
export function endToEndHeaders(headers: readonly string[]): string[] {
  return without(headers, isHopByHop);
}

/** Without the fields whose name `drops` says. */
function without(headers: readonly string[], drops: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!drops(name)) kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}

const NONE: ReadonlySet<string> = new Set();

/** Names in Connection, in lower case, that are to be removed for it. */
function connectionOptions(headers: readonly string[]): ReadonlySet<string> {
  let options: Set<string> | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!isConnection(headers[i] ?? '')) continue;
    for (const option of connectionWords(headers[i + 1] ?? '')) {
      // No field has this name (RFC 9110, section 18.4).
      if (option === 'close' || HOP_BY_HOP.has(option) || PROTECTED.has(option)) continue;
      options ??= new Set();
      options.add(option);
    }
  }
  return options ?? NONE;
}

/** A field that only we may say, however it is spelt; X-Forwarded-For itself may be added to. */
function isClaimed(name: string): boolean {
  if (name.length < 15 || name.length > 17) return false;
  const lower = name.toLowerCase();
  return lower !== FORWARDED_FOR && FORWARDED.has(lower.replaceAll('_', '-'));
}

/**
 * Says by what scheme and under what name the request came, whatever the client claims. Spellings that servers
 * take for the same names as ours (X_Forwarded_For) are removed: nobody but us says these.
 */
export function claimForwarded({
  headers,
  secure,
  host,
}: Pick<RequestHead, 'headers' | 'secure' | 'host'>): string[] {
  const kept = without(headers, isClaimed);
  kept.push('X-Forwarded-Proto', secure ? 'https' : 'http');
  if (host !== '') kept.push('X-Forwarded-Host', host);
  return kept;
}

/** Replaces every field of that name, whatever its case, by one at the end; undefined removes them. */
export function withHeader(headers: readonly string[], name: string, value: string | undefined): string[] {
  const lower = name.toLowerCase();
  const kept = without(headers, (other) => other.length === lower.length && other.toLowerCase() === lower);
  if (value !== undefined) kept.push(name, value);
  return kept;
}

/**
 * Says whom the request is for where the client has said it in the request-target only: servers get the target
 * without it (RFC 9112, section 3.2.1).
 */
export function withHost(headers: readonly string[], host: string): readonly string[] {
  return host === '' || hasHost(headers) ? headers : ['Host', host, ...headers];
}

function hasHost(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isHost(headers[i] ?? '')) return true;
  return false;
}
