import { type ServerSnapshot, serverId } from '../../../src/balance/server.ts';
import { parseAclTest } from '../../../src/config/rules/acl.ts';
import type { Scope } from '../../../src/config/rules/condition.ts';
import { parseHttpRequest } from '../../../src/config/rules/http-request.ts';
import { parseUseBackend } from '../../../src/config/rules/use-backend.ts';
import { type Report, splitWords } from '../../../src/config/rules/words.ts';
import type { BackendConfig } from '../../../src/config/runtime/backends.ts';
import type { FrontendConfig } from '../../../src/config/runtime/frontends.ts';
import type { AclTest, Condition, HttpRequestRule } from '../../../src/config/runtime/rules.ts';
import type { ClientAddress, RequestHead } from '../../../src/proxy/lanes/lane.ts';
import { parseTarget } from '../../../src/proxy/request/target.ts';

/** What a test writes of a configuration goes through the real parser; what that refuses is a mistake of the test. */
const report: Report = (offset, message) => {
  throw new Error(`at ${offset}: ${message}`);
};

/** `acl` lines by name: `{ is_api: ['path_beg /api/'] }`. */
export type Acls = Readonly<Record<string, readonly string[]>>;

export function parseAcl(text: string): AclTest {
  const split = splitWords(text, report);
  const test = split && parseAclTest(split.words, split.end, report);
  if (!test) throw new Error(`no acl: ${text}`);
  return test;
}

function scopeOf(acls: Acls): Scope {
  const parsed = new Map(Object.entries(acls).map(([name, lines]) => [name, lines.map(parseAcl)]));
  return { mode: 'http', acls: parsed, aclNames: new Set(parsed.keys()) };
}

/** `if …` or `unless …`. */
export function parseCondition(text: string, acls: Acls = {}): Condition | undefined {
  return parseRule(`deny ${text}`, acls).condition;
}

export function parseRule(text: string, acls: Acls = {}): HttpRequestRule {
  const rule = parseHttpRequest(text, scopeOf(acls), report);
  if (!rule) throw new Error(`no rule: ${text}`);
  return rule;
}

export function parseUse(text: string, acls: Acls = {}): FrontendConfig['useBackend'][number] {
  const use = parseUseBackend(text, scopeOf(acls), report);
  if (!use) throw new Error(`no use_backend: ${text}`);
  return { backend: use.backend, condition: use.condition };
}

export function frontendConfig(changes: Partial<FrontendConfig> = {}): FrontendConfig {
  return {
    name: 'www',
    mode: 'http',
    bind: [{ host: '127.0.0.1', port: 0 }],
    maxconn: 1000,
    timeout: { client: 30_000, httpRequest: 10_000, httpKeepAlive: 10_000, tunnel: 3_600_000 },
    options: { forwardfor: false, accessLog: 'json', httpLane: 'direct', maxConcurrentStreams: 100 },
    httpRequest: [],
    useBackend: [],
    defaultBackend: 'web',
    ...changes,
  };
}

export function backendConfig(changes: Partial<BackendConfig> = {}): BackendConfig {
  return {
    name: 'web',
    mode: 'http',
    balance: { kind: 'roundrobin' },
    servers: [],
    retries: 3,
    redispatch: true,
    timeout: { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 3_600_000, check: undefined },
    maxqueue: 0,
    httpchk: undefined,
    ...changes,
  };
}

export function serverSnapshot(name: string, changes: Partial<ServerSnapshot> = {}): ServerSnapshot {
  const address = changes.address ?? '10.0.0.1';
  const port = changes.port ?? name.codePointAt(0) ?? 0;
  const plain = { name, address, port, weight: 1, tier: 0, backup: false, maxconn: 0 };
  return { id: serverId(address, port), ...plain, rank: 0, admission: 'open', ...changes };
}

export const CLIENT: ClientAddress = {
  address: '192.0.2.7',
  port: 40_000,
  localAddress: '127.0.0.1',
  localPort: 80,
};

/** A head as a lane hands it over; header fields as `[name, value]`. */
export function requestHead(
  method = 'GET',
  target = '/',
  fields: readonly (readonly [name: string, value: string])[] = [['Host', 'a.example']],
  changes: Partial<RequestHead> = {},
): RequestHead {
  const parsed = parseTarget(method, target);
  if (!parsed) throw new Error(`no target: ${target}`);
  const host = fields.find(([name]) => name.toLowerCase() === 'host')?.[1];
  return {
    method,
    target,
    path: parsed.path,
    httpVersion: '1.1',
    headers: fields.flat(),
    host: parsed.authority ?? host ?? '',
    bodyless: true,
    upgrade: false,
    secure: false,
    ...changes,
  };
}

/** The values of all fields of a flat list with this name. */
export function valuesOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name.toLowerCase());
}

/** The names in a flat list, in order. */
export function namesOf(headers: readonly string[]): string[] {
  return headers.filter((_, i) => i % 2 === 0);
}
