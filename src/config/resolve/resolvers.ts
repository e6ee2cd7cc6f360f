import { messageOf } from '../../core/errors.ts';
import { nameserversOf } from '../resolv-conf.ts';
import type { HoldTimes, NameserversConfig, ResolversConfig } from '../runtime/resolvers.ts';
import type { UserConfig, UserResolvers } from '../schema/user-config.ts';
import { forbid, resolveConsul } from './consul.ts';
import { isBroken, type ResolveContext, requireKey } from './context.ts';

const CONSUL_KEYS = ['token', 'datacenter', 'ca-file', 'only-passing', 'fallback'] as const;
const RESOLV_CONF = '/etc/resolv.conf';
const DNS_PORT = 53;
/** Each query goes to all of them. */
const MAX_NAMESERVERS = 16;
const DEFAULT_PERIOD = 2_000;
const DEFAULT_MIN_TTL = 1_000;
const DEFAULT_MAX_TTL = 300_000;

/** `builtin` is the registry in this process and cannot be declared. */
export function resolveResolvers(
  user: UserConfig['resolvers'] = {},
  context: ResolveContext,
): readonly ResolversConfig[] {
  return Object.entries(user).map(([id, section]) => {
    if (id === 'builtin') {
      const message = 'builtin is the registry in this process: choose another name';
      context.report({ path: ['resolvers', id], at: 'key', message });
    }
    const isConsul = context.keys(['resolvers', id]).has('consul');
    if (isConsul) return resolveConsul(id, section, context);
    forbid(id, CONSUL_KEYS, 'only for a section with consul', context);
    return resolveNameservers(id, section, context);
  });
}

/**
 * How often a name is looked up where its server entry does not say it. With TTLs in force they decide, and the
 * longest of them is all that is left to say.
 *
 * @param section undefined: the registry, which tells of changes by itself
 */
export function defaultInterval(section: ResolversConfig | undefined): number {
  if (section?.kind === 'consul') return DEFAULT_PERIOD;
  return section?.ttl?.max ?? section?.timeoutResolve ?? DEFAULT_PERIOD;
}

function resolveNameservers(id: string, section: UserResolvers, context: ResolveContext): NameserversConfig {
  return {
    kind: 'nameservers',
    id,
    nameservers: nameserversOfSection(id, section, context),
    resolveRetries: section.resolve_retries ?? 3,
    timeoutRetry: section.timeout?.retry ?? 1_000,
    timeoutResolve: section.timeout?.resolve ?? DEFAULT_PERIOD,
    acceptedPayloadSize: section.accepted_payload_size ?? 1_232,
    hold: holdTimes(section),
    ttl: ttlBounds(id, section, context),
  };
}

function nameserversOfSection(
  id: string,
  section: UserResolvers,
  context: ResolveContext,
): NameserversConfig['nameservers'] {
  const path = ['resolvers', id];
  const written = Object.entries(section.nameserver ?? {}).map(([name, server]) => ({ name, ...server }));
  if (section['parse-resolv-conf'] === true) {
    const known = new Set(written.map(({ name }) => name));
    for (const server of systemNameservers(id, context)) if (!known.has(server.name)) written.push(server);
  } else if (!isBroken(context, [...path, 'parse-resolv-conf'], section['parse-resolv-conf'])) {
    requireKey(context, path, 'nameserver', 'the nameservers to ask, or "parse-resolv-conf: true"');
    if (section.nameserver && context.keys([...path, 'nameserver']).size === 0) {
      context.report({ path: [...path, 'nameserver'], at: 'value', message: 'must not be empty' });
    }
  }
  if (written.length > MAX_NAMESERVERS) {
    const message = `${written.length} nameservers: expected ${MAX_NAMESERVERS} at most, for each is asked everything`;
    context.report({ path, at: 'key', message });
  }
  return written;
}

/** Called by their address, as in HAProxy. */
function systemNameservers(id: string, context: ResolveContext): NameserversConfig['nameservers'] {
  const complain = (message: string) => {
    context.report({ path: ['resolvers', id, 'parse-resolv-conf'], at: 'value', message });
    return [];
  };
  let text: string;
  try {
    text = context.readFile(RESOLV_CONF);
  } catch (error) {
    return complain(`${RESOLV_CONF} cannot be read: ${messageOf(error)}`);
  }
  const hosts = nameserversOf(text);
  if (hosts.length === 0) return complain(`${RESOLV_CONF} names no nameserver`);
  return hosts.map((host) => ({ name: host, transport: 'udp', host, port: DNS_PORT }));
}

function holdTimes({ hold = {} }: UserResolvers): HoldTimes {
  return {
    valid: hold.valid ?? 0,
    nx: hold.nx ?? 30_000,
    obsolete: hold.obsolete ?? 0,
    timeout: hold.timeout,
    refused: hold.refused,
    other: hold.other,
  };
}

function ttlBounds(id: string, section: UserResolvers, context: ResolveContext): NameserversConfig['ttl'] {
  const { 'min-ttl': least, 'max-ttl': most } = section;
  if (least === undefined && most === undefined) return undefined;
  const max = most ?? Math.max(DEFAULT_MAX_TTL, least ?? 0);
  if (least !== undefined && least > max) {
    const message = `is longer than max-ttl (${max} ms)`;
    context.report({ path: ['resolvers', id, 'min-ttl'], at: 'value', message });
  }
  return { min: least ?? Math.min(DEFAULT_MIN_TTL, max), max };
}
