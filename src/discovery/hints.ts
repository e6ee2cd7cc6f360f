import { isIP } from 'node:net';
import type { Endpoint } from './resolution.ts';

/** The last good answer for a name, from before a restart: not to be believed, but to be tried. */
export interface Hint {
  /** At least one. */
  readonly endpoints: readonly Endpoint[];
  /** Wall-clock ms of the answer. */
  readonly at: number;
}

/** What is looked up, and where: names may mean something else to other nameservers. */
export interface HintedName {
  readonly resolvers: string;
  readonly domain: string;
  readonly port: number | undefined;
}

/** Older than this it says nothing any more, ms. */
export const HINT_LASTS_MS = 24 * 3_600_000;

const VERSION = 1;
/** Beyond these the oldest are not kept. */
const MOST_NAMES = 2_000;
const MOST_SERVERS = 20_000;
const LONGEST_TEXT = 512;

export function hintKey({ resolvers, domain, port }: HintedName): string {
  return JSON.stringify([resolvers, domain, port ?? null]);
}

/**
 * The text of a file of hints, the youngest first; those that are too old, or too many, are left out, and so is what
 * {@link parseHints} would refuse the whole file for: servers that a registry has under a host name, for one.
 */
export function formatHints(hints: ReadonlyMap<string, Hint>, wall: number): string {
  const youngest = [...hints].sort(([, a], [, b]) => b.at - a.at).slice(0, MOST_NAMES);
  let room = MOST_SERVERS;
  const names = youngest.flatMap(([key, { endpoints: all, at }]) => {
    const endpoints = all.filter((endpoint) => endpointOf(endpoint) !== undefined);
    if (endpoints.length === 0) return [];
    if (wall - at >= HINT_LASTS_MS || endpoints.length > room) return [];
    room -= endpoints.length;
    return [{ name: JSON.parse(key), at, endpoints }];
  });
  return `${JSON.stringify({ version: VERSION, names })}\n`;
}

/**
 * Reads what {@link formatHints} has written. Hints from the future are as bad as old ones: the clock was wrong.
 * Throws an Error that says what is wrong with the text.
 */
export function parseHints(text: string, wall: number): Map<string, Hint> {
  const file: unknown = JSON.parse(text);
  if (!isObject(file)) throw new Error('it is not an object');
  if (file.version !== VERSION)
    throw new Error(`its version is ${JSON.stringify(file.version)}, not ${VERSION}`);
  if (!Array.isArray(file.names)) throw new Error('it has no list of names');
  const hints = new Map<string, Hint>();
  for (const entry of file.names) {
    const [key, hint] = parseEntry(entry);
    if (hint.at <= wall && wall - hint.at < HINT_LASTS_MS) hints.set(key, hint);
  }
  return hints;
}

function parseEntry(entry: unknown): readonly [key: string, hint: Hint] {
  if (!isObject(entry) || !Array.isArray(entry.name) || !Array.isArray(entry.endpoints)) {
    throw new Error('an entry is not a name with endpoints');
  }
  const [resolvers, domain, port, ...more] = entry.name;
  if (!isText(resolvers) || !isText(domain) || !(port === null || isPort(port)) || more.length > 0) {
    throw new Error('an entry has no proper name');
  }
  const { at, endpoints } = entry;
  if (typeof at !== 'number' || !Number.isFinite(at)) throw new Error(`${domain} has no time`);
  if (endpoints.length === 0) throw new Error(`${domain} has no servers`);
  const key = hintKey({ resolvers, domain, port: port ?? undefined });
  return [key, { at, endpoints: endpoints.map((endpoint) => parseEndpoint(endpoint, domain)) }];
}

function parseEndpoint(value: unknown, domain: string): Endpoint {
  const endpoint = endpointOf(value);
  if (!endpoint) throw new Error(`${domain} has a server that is none`);
  return endpoint;
}

function endpointOf(value: unknown): Endpoint | undefined {
  if (!isObject(value)) return undefined;
  const { address, port, weight, priority, name, host } = value;
  const isFine =
    isText(address) &&
    isIP(address) !== 0 &&
    isPort(port) &&
    isAmount(weight) &&
    isAmount(priority) &&
    isText(name) &&
    (host === undefined || isText(host));
  if (!isFine) return undefined;
  return { address, port, weight, priority, name, ...(host === undefined ? {} : { host }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_TEXT;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && isAmount(value) && value >= 1 && value <= 65_535;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}
