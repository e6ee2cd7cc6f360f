import type { HoldTimes } from '../config/runtime/resolvers.ts';
import { VaneError } from '../core/errors.ts';
import { idOf } from './discovered-set.ts';
import type { Endpoint, Excluded, Resolution } from './resolution.ts';

type Answer = Extract<Resolution, { ok: true }>;
type Failure = Extract<Resolution, { ok: false }>;

/** What answers and holds together say of one name. Clock ms throughout. Immutable. */
export interface HeldName {
  /** By id. */
  readonly servers: ReadonlyMap<string, HeldServer>;
  readonly excluded: readonly Excluded[];
  /** When an answer last had servers; undefined: none has. */
  readonly lastServers: number | undefined;
  /** A hold has run out since the last answer: the set is smaller than that answer made it. */
  readonly shrunk: boolean;
  /** What the last look-up said against the servers, if it failed: they go at that time. */
  readonly giveUpAt: number | undefined;
}

interface HeldServer {
  readonly endpoint: Endpoint;
  /** When it goes, because answers lack it; undefined: the last one had it. */
  readonly until: number | undefined;
}

/** What somebody else has known of a name stands as if it had been answered just now. */
export function heldNameOf(endpoints: readonly Endpoint[], now: number): HeldName {
  return {
    servers: new Map(endpoints.map((endpoint) => [idOf(endpoint), { endpoint, until: undefined }])),
    excluded: [],
    lastServers: endpoints.length > 0 ? now : undefined,
    shrunk: false,
    giveUpAt: undefined,
  };
}

/**
 * Takes an answer. Servers that it lacks stay for `hold obsolete` where it has others, for `hold nx` where it has none,
 * counted from the first answer without them.
 */
export function afterAnswer(
  held: HeldName,
  { endpoints, excluded }: Pick<Answer, 'endpoints' | 'excluded'>,
  hold: HoldTimes,
  now: number,
): HeldName {
  const servers = new Map<string, HeldServer>();
  for (const endpoint of endpoints) servers.set(idOf(endpoint), { endpoint, until: undefined });
  const leave = now + (endpoints.length > 0 ? hold.obsolete : hold.nx);
  for (const [id, { endpoint, until = leave }] of held.servers) {
    // Once others are there, a server held because there was nobody need not be held any longer than that.
    const end = endpoints.length > 0 ? Math.min(until, leave) : until;
    if (!servers.has(id) && end > now) servers.set(id, { endpoint, until: end });
  }
  const lastServers = endpoints.length > 0 ? now : held.lastServers;
  return { servers, excluded, lastServers, shrunk: false, giveUpAt: undefined };
}

/**
 * Takes a failure. It says nothing about the servers; only a hold that the user has written for its kind lets
 * them go, so long after the last answer that had any.
 */
export function afterFailure(held: HeldName, error: VaneError, hold: HoldTimes, now: number): HeldName {
  const patience = hold[kindOf(error)];
  const giveUpAt =
    patience === undefined || held.lastServers === undefined ? undefined : held.lastServers + patience;
  return withoutExpired({ ...held, giveUpAt }, now);
}

/** Without the servers whose time is over. */
export function withoutExpired(held: HeldName, now: number): HeldName {
  const servers = new Map<string, HeldServer>();
  if (held.giveUpAt === undefined || held.giveUpAt > now) {
    for (const [id, server] of held.servers) {
      if (server.until === undefined || server.until > now) servers.set(id, server);
    }
  }
  return servers.size === held.servers.size ? held : { ...held, servers, shrunk: true };
}

/** When the next server goes by itself; undefined: none does. */
export function nextExpiry({ servers, giveUpAt }: HeldName): number | undefined {
  let next = servers.size > 0 ? giveUpAt : undefined;
  for (const { until } of servers.values()) {
    if (until !== undefined && (next === undefined || until < next)) next = until;
  }
  return next;
}

/** The servers that the last answer had, without those that are only held. */
export function answeredServers({ servers }: HeldName): readonly Endpoint[] {
  return [...servers.values()].flatMap(({ endpoint, until }) => (until === undefined ? [endpoint] : []));
}

/** What is to be told after an answer: itself and the servers that are held against it. */
export function heldAnswer(held: HeldName, gap: VaneError | undefined, name: string): Answer {
  const servers = [...held.servers.values()];
  const nobody = servers.length > 0 && servers.every(({ until }) => until !== undefined);
  const why = gap ?? (nobody ? heldAgainst(name) : undefined);
  return {
    ok: true,
    endpoints: servers.map(({ endpoint }) => endpoint),
    excluded: held.excluded,
    ...(why ? { gap: why } : {}),
  };
}

function heldAgainst(name: string): VaneError {
  return new VaneError('RESOLVE_FAILED', `${name} has no servers: those it had stay until hold nx is over`);
}

/** What is to be told after a failure. */
export function heldFailure(held: HeldName, error: VaneError): Failure {
  if (!held.shrunk) return { ok: false, error };
  const endpoints = [...held.servers.values()].map(({ endpoint }) => endpoint);
  return { ok: false, error, remaining: { endpoints, excluded: held.excluded } };
}

function kindOf({ code }: VaneError): 'timeout' | 'refused' | 'other' {
  if (code === 'RESOLVE_TIMEOUT') return 'timeout';
  return code === 'RESOLVE_REFUSED' ? 'refused' : 'other';
}
