import type { Path } from '../problem.ts';
import { conditionIndex, parseCondition, type Scope } from '../rules/condition.ts';
import { type Report, splitWords } from '../rules/words.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { Condition } from '../runtime/rules.ts';
import type { CookieConfig, StickinessConfig } from '../runtime/stickiness.ts';
import type { UserBackend } from '../schema/user-config.ts';
import { parseStick } from '../stick-lines.ts';
import type { ResolveContext } from './context.ts';

/** Undefined: nobody is brought back to any server. */
export function resolveStickiness(
  backend: UserBackend,
  name: string,
  mode: 'http' | 'tcp',
  path: Path,
  registry: RegistryConfig | undefined,
  context: ResolveContext,
): StickinessConfig | undefined {
  // A backend has no acls of its own: tests stand in braces.
  const scope: Scope = { mode, acls: new Map(), aclNames: new Set() };
  const refuse = (key: string, message: string) =>
    context.report({ path: [...path, key], at: 'key', message });
  const written = context.keys(path);
  const cookie = resolveCookie(backend, name);
  if (mode === 'tcp' && written.has('cookie')) refuse('cookie', 'a cookie needs mode http');
  if (backend['dynamic-cookie-key'] !== undefined && !written.has('cookie')) {
    refuse('dynamic-cookie-key', 'has no use without cookie');
  }
  if (backend.stick !== undefined && !written.has('stick-table')) {
    refuse('stick', 'needs a stick-table, such as "type ip size 100k expire 30m"');
  }
  refuseTwice(backend, path, context);
  const table = backend['stick-table'];
  if (table?.peers && registry?.store.kind !== 'redis') {
    refuse('stick-table', 'peers registry needs a registry that nodes share: registry.store: redis://…');
  }
  const rules = (backend.stick ?? []).flatMap(
    (rule, i) => parseStick(rule, scope, reporter(context, [...path, 'stick', i])) ?? [],
  );
  const ignore = (backend['ignore-persist'] ?? []).flatMap(
    (rule, i) => parseIgnore(rule, scope, reporter(context, [...path, 'ignore-persist', i])) ?? [],
  );
  if (!cookie && !table) return undefined;
  return { cookie, table, rules: table ? rules : [], ignore };
}

function resolveCookie(backend: UserBackend, name: string): CookieConfig | undefined {
  if (!backend.cookie) return undefined;
  const { dynamic: _, ...cookie } = backend.cookie;
  return { ...cookie, key: backend['dynamic-cookie-key'] ?? `backend ${name}` };
}

/** Two servers that one value stands for could not be told apart. */
function refuseTwice({ servers = [], cookie }: UserBackend, path: Path, context: ResolveContext): void {
  const seen = new Set<string>();
  for (const [i, server] of servers.entries()) {
    if ('short' in server || server.cookie === undefined) continue;
    const at = [...path, 'servers', i, 'cookie'];
    const report = (message: string) => context.report({ path: at, at: 'value', message });
    if (server.domain) report('cookie is only for an address: servers of a domain get values of their own');
    else if (!cookie && !context.keys(path).has('cookie'))
      report('has no use unless the backend has a cookie');
    else if (seen.has(server.cookie)) report(`${server.cookie} stands for another server of this backend`);
    seen.add(server.cookie);
  }
}

function parseIgnore(rule: string, scope: Scope, report: Report): Condition | undefined {
  const split = splitWords(rule, report);
  if (!split) return undefined;
  const { words, end } = split;
  if (words.length === 0 || conditionIndex(words) !== 0) {
    report(0, 'expected "if CONDITION" or "unless CONDITION"');
    return undefined;
  }
  return parseCondition(words, end, scope, report);
}

function reporter(context: ResolveContext, path: Path): Report {
  return (offset, message, suggestion) => context.report({ path, at: { offset }, message, suggestion });
}
