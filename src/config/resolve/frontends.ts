import type { Path } from '../problem.ts';
import { parseAclTest } from '../rules/acl.ts';
import type { Scope } from '../rules/condition.ts';
import { parseHttpRequest } from '../rules/http-request.ts';
import { parseUseBackend } from '../rules/use-backend.ts';
import { type Report, splitWords } from '../rules/words.ts';
import type { FrontendConfig, FrontendOptions, FrontendTimeouts } from '../runtime/frontends.ts';
import type { GlobalConfig } from '../runtime/global.ts';
import type { AclTest } from '../runtime/rules.ts';
import type { UserConfig, UserDefaults, UserFrontend } from '../schema/user-config.ts';
import { BackendReferences } from './backend-references.ts';
import { resolveBind } from './certificates.ts';
import { type ResolveContext, requireKey } from './context.ts';

type Mode = FrontendConfig['mode'];

/** HAProxy's `tune.h2.max-concurrent-streams`. */
const DEFAULT_STREAMS = 100;

export function resolveFrontends(
  user: UserConfig,
  { maxconn }: GlobalConfig,
  context: ResolveContext,
): readonly FrontendConfig[] {
  const defaults = user.defaults ?? {};
  return Object.entries(user.frontends ?? {}).map(([name, frontend]) => {
    const path: Path = ['frontends', name];
    const mode = frontend.mode ?? defaults.mode ?? 'http';
    const scope = resolveScope(frontend, mode, path, context);
    refuseUnusable(frontend, mode, path, context);
    return {
      name,
      mode,
      bind: (frontend.bind ?? []).flatMap(
        (bind, i) => resolveBind(bind, mode, [...path, 'bind', i], context) ?? [],
      ),
      maxconn: frontend.maxconn ?? defaults.maxconn ?? maxconn,
      timeout: resolveTimeouts(frontend, defaults),
      options: {
        forwardfor: frontend.option?.forwardfor ?? defaults.option?.forwardfor ?? false,
        httpLane: frontend.option?.httpLane ?? defaults.option?.httpLane ?? 'direct',
        maxConcurrentStreams: user.global?.tune?.h2?.['max-concurrent-streams'] ?? DEFAULT_STREAMS,
        accessLog: accessLogOf(frontend) ?? accessLogOf(defaults) ?? 'off',
      },
      httpRequest: resolveHttpRequest(frontend, scope, path, context),
      ...resolveTargets(frontend, scope, new BackendReferences(user, path, mode, context), path, context),
    };
  });
}

function resolveTimeouts(
  { timeout = {} }: UserFrontend,
  { timeout: inherited = {} }: UserDefaults,
): FrontendTimeouts {
  const httpRequest = timeout['http-request'] ?? inherited['http-request'] ?? 10_000;
  return {
    client: timeout.client ?? inherited.client ?? 30_000,
    httpRequest,
    httpKeepAlive: timeout['http-keep-alive'] ?? inherited['http-keep-alive'] ?? httpRequest,
    tunnel: timeout.tunnel ?? inherited.tunnel ?? 3_600_000,
  };
}

/** What one section says of the access log; undefined when nothing. Each mode has its one format of HAProxy. */
function accessLogOf(section: UserFrontend | UserDefaults): FrontendOptions['accessLog'] | undefined {
  const { httplog, tcplog } = section.option ?? {};
  if (section['log-format'] !== undefined) return section['log-format'];
  if (httplog || tcplog) return 'haproxy';
  return httplog === false || tcplog === false ? 'off' : undefined;
}

function resolveScope({ acl = {} }: UserFrontend, mode: Mode, path: Path, context: ResolveContext): Scope {
  const acls = new Map<string, readonly AclTest[]>();
  for (const [name, declarations] of Object.entries(acl)) {
    const tests = declarations.map((text, i) => {
      const report = reporter(context, [...path, 'acl', name, i]);
      const split = splitWords(text, report);
      return split && parseAclTest(split.words, split.end, report);
    });
    if (tests.length > 0 && tests.every((test) => test !== undefined)) acls.set(name, tests);
  }
  return { mode, acls, aclNames: context.keys([...path, 'acl']) };
}

function resolveHttpRequest(
  { 'http-request': rules = [] }: UserFrontend,
  scope: Scope,
  path: Path,
  context: ResolveContext,
): FrontendConfig['httpRequest'] {
  if (scope.mode === 'tcp') return [];
  return rules.flatMap(
    (rule, i) => parseHttpRequest(rule, scope, reporter(context, [...path, 'http-request', i])) ?? [],
  );
}

function resolveTargets(
  frontend: UserFrontend,
  scope: Scope,
  references: BackendReferences,
  path: Path,
  context: ResolveContext,
): Pick<FrontendConfig, 'useBackend' | 'defaultBackend'> {
  const useBackend = (frontend.use_backend ?? []).flatMap((rule, i) => {
    const rulePath = [...path, 'use_backend', i];
    const parsed = parseUseBackend(rule, scope, reporter(context, rulePath));
    if (!parsed) return [];
    references.check(parsed.backend, rulePath, parsed.offset);
    return { backend: parsed.backend, condition: parsed.condition };
  });
  const defaultBackend = frontend.default_backend;
  if (defaultBackend !== undefined) references.check(defaultBackend, [...path, 'default_backend'], 0);
  return { useBackend, defaultBackend };
}

/** What can be told from the keys alone. */
function refuseUnusable(frontend: UserFrontend, mode: Mode, path: Path, context: ResolveContext): void {
  const { option, 'http-request': rules } = frontend;
  const report = (key: string, at: 'key' | 'value', message: string) =>
    context.report({ path: [...path, key], at, message });
  requireKey(context, path, 'bind', 'the addresses to listen on');
  if (mode === 'tcp' && rules) report('http-request', 'key', 'http-request needs mode http');
  if (mode === 'tcp' && option?.httplog) {
    report('option', 'value', 'option httplog needs mode http: in mode tcp it is tcplog');
  }
  const written = context.keys(path);
  if (!['default_backend', 'use_backend', 'http-request'].some((key) => written.has(key))) {
    report(
      'default_backend',
      'key',
      'missing: without it, use_backend or http-request, this frontend leads nowhere',
    );
  }
}

function reporter(context: ResolveContext, path: Path): Report {
  return (offset, message, suggestion) => context.report({ path, at: { offset }, message, suggestion });
}
