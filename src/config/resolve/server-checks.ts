import type { Path } from '../problem.ts';
import type { BackendConfig } from '../runtime/backends.ts';
import type { DialogueCheck, HttpCheck } from '../runtime/server-checks.ts';
import type { CheckConfig, ServerTls, TrackConfig } from '../runtime/servers.ts';
import type { UserBackend, UserConfig, UserDefaults, UserServer } from '../schema/user-config.ts';
import type { ResolveContext } from './context.ts';

type CheckWords = NonNullable<Exclude<UserServer, { short: unknown }>['check']>;

/** How the checks of a backend speak to its servers. */
export function resolveChecking(
  backend: UserBackend,
  defaults: UserDefaults,
  path: Path,
  context: ResolveContext,
): Pick<BackendConfig, 'httpchk' | 'dialogue'> {
  const chosen = backend.option?.checkBy ?? defaults.option?.checkBy;
  const by = chosen === 'off' ? undefined : chosen;
  for (const [key, kind, option] of RULES) {
    if (backend[key] !== undefined && by?.kind !== kind) {
      context.report({
        path: [...path, key],
        at: 'key',
        message: `has no effect without "option: [${option}]"`,
      });
    }
  }
  if (by?.kind === 'http') return { httpchk: httpCheckOf(by, backend['http-check'] ?? []) };
  return { httpchk: undefined, ...(by ? { dialogue: dialogueOf(by, backend['tcp-check'] ?? []) } : {}) };
}

const RULES = [
  ['http-check', 'http', 'httpchk'],
  ['tcp-check', 'tcp', 'tcp-check'],
] as const;

function httpCheckOf(
  { method, uri }: Pick<HttpCheck, 'method' | 'uri'>,
  rules: NonNullable<UserBackend['http-check']>,
): HttpCheck {
  let check: HttpCheck = { method, uri };
  for (const rule of rules) {
    if (rule.kind === 'disable-on-404') check = { ...check, disableOn404: true };
    else if (rule.kind === 'expect') check = { ...check, expect: [...(check.expect ?? []), rule.expect] };
    else {
      const { kind: _, ...send } = rule;
      check = { ...check, ...send };
    }
  }
  return check;
}

function dialogueOf(
  by: Exclude<NonNullable<NonNullable<UserBackend['option']>['checkBy']>, 'off' | { kind: 'http' }>,
  rules: NonNullable<UserBackend['tcp-check']>,
): DialogueCheck {
  if (by.kind !== 'tcp') return by;
  return { kind: 'tcp', steps: rules.flatMap((rule) => (rule === 'connect' ? [] : [rule])) };
}

/**
 * @param tls how work speaks to the server
 * @param host what it is called where nothing else is said
 */
export function resolveCheck(words: CheckWords, tls: ServerTls | undefined, host: string): CheckConfig {
  const { ssl, sni, ...check } = words;
  if (ssl === false) return { ...check, tls: 'off' };
  if (ssl === undefined && sni === undefined) return check;
  const spoken = tls ?? { verify: true, ca: undefined, name: host };
  return { ...check, tls: sni === undefined ? spoken : { ...spoken, name: sni } };
}

/** That what is tracked is there and has a check of its own. */
export function checkTracks(
  user: UserConfig,
  backends: readonly BackendConfig[],
  context: ResolveContext,
): void {
  const byName = new Map(backends.map((backend) => [backend.name, backend]));
  for (const [name, { servers = [] }] of Object.entries(user.backends ?? {})) {
    for (const [i, server] of servers.entries()) {
      if ('short' in server || !server.track) continue;
      const message = wrongTrack(server.track, byName.get(server.track.backend));
      const path: Path = ['backends', name, 'servers', i, 'track'];
      if (message !== undefined) context.report({ path, at: 'value', message });
    }
  }
}

function wrongTrack(track: TrackConfig, backend: BackendConfig | undefined): string | undefined {
  if (!backend) return `no backend is called ${JSON.stringify(track.backend)}`;
  const checked = backend.servers.filter(({ check }) => check !== undefined);
  if (track.server === undefined) {
    return checked.length > 0 ? undefined : `backend ${backend.name} checks none of its servers`;
  }
  const found = backend.servers.find(({ kind, key }) => kind === 'address' && key === track.server);
  if (!found) return `backend ${backend.name} has no address ${track.server}`;
  return found.check ? undefined : `${track.server} is not checked in backend ${backend.name}`;
}
