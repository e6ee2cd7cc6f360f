import type { FrontendConfig } from '../../config/runtime/frontends.ts';
import type { HttpRequestRule } from '../../config/runtime/rules.ts';
import type { LocalResponse, RequestHead } from '../lanes/lane.ts';
import { compileCondition, type Predicate } from '../rules/condition.ts';
import { octets } from '../rules/octets.ts';
import { errorAnswer } from './answers.ts';
import { withHeader } from './headers.ts';
import { originForm } from './target.ts';

/** A request after its frontend's rules: answered here, or changed and to be served. */
export type Ruled =
  | { readonly kind: 'answer'; readonly response: LocalResponse; readonly denied: boolean }
  | { readonly kind: 'serve'; readonly head: RequestHead };

/** `http-request` made ready. Rules see what the rules before them have changed, as in HAProxy. */
export type HttpRules = (head: RequestHead, src: string) => Ruled;

/** Compiles `http-request` of a frontend (HAProxy configuration manual, section 4.2). */
export function compileRules(config: FrontendConfig): HttpRules {
  const rules = config.httpRequest.map((rule): readonly [HttpRequestRule, Predicate] => [
    rule,
    compileCondition(rule.condition),
  ]);
  return (original, src) => {
    let head = original;
    for (const [rule, holds] of rules) {
      if (!holds({ src, head })) continue;
      switch (rule.action) {
        case 'deny':
          return { kind: 'answer', response: errorAnswer(rule.status, [], false), denied: true };
        case 'return':
          return { kind: 'answer', response: returned(rule), denied: false };
        case 'redirect':
          return { kind: 'answer', response: redirect(rule, head), denied: false };
        case 'set-header':
          head = setHeader(head, rule.header, octets(rule.value));
          break;
        case 'add-header':
          head = { ...head, headers: [...head.headers, rule.header, octets(rule.value)] };
          break;
        case 'del-header':
          head = setHeader(head, rule.header, undefined);
          break;
        case 'set-path':
          head = withPath(head, octets(rule.value));
          break;
      }
    }
    return { kind: 'serve', head };
  };
}

function returned(rule: Extract<HttpRequestRule, { action: 'return' }>): LocalResponse {
  const headers = rule.contentType === undefined ? [] : ['content-type', octets(rule.contentType)];
  return { status: rule.status, headers, body: rule.body, close: false };
}

/** Redirects that hold for this once only; others may be remembered. */
const TEMPORARY: ReadonlySet<number> = new Set([302, 303, 307]);

function redirect(rule: Extract<HttpRequestRule, { action: 'redirect' }>, head: RequestHead): LocalResponse {
  const headers = ['location', locationOf(rule, head)];
  if (TEMPORARY.has(rule.code)) headers.push('cache-control', 'no-cache');
  return { status: rule.code, headers, body: '', close: false };
}

function locationOf(rule: Extract<HttpRequestRule, { action: 'redirect' }>, head: RequestHead): string {
  const to = octets(rule.to);
  // A request about the whole server (`*`) has no path.
  const path = head.path === '*' ? '/' : originForm(head);
  switch (rule.type) {
    case 'location':
      return to;
    case 'prefix':
      // "/" as the prefix means "as it was asked for" (section 4.2, "redirect prefix").
      return to === '/' ? hostless(path) : `${to}${path}`;
    case 'scheme':
      return `${to}://${head.host}${path}`;
  }
}

/** A path that no browser takes for a host (RFC 3986, section 4.2): whoever asks for `//elsewhere` stays here. */
function hostless(path: string): string {
  return /^\/[/\\]/.test(path) ? `/.${path}` : path;
}

function setHeader(head: RequestHead, name: string, value: string | undefined): RequestHead {
  const headers = withHeader(head.headers, name, value);
  return name.toLowerCase() === 'host' ? { ...head, headers, host: value ?? '' } : { ...head, headers };
}

function withPath(head: RequestHead, path: string): RequestHead {
  const site = /^https?:\/\/[^/?]*/i.exec(head.target)?.[0] ?? '';
  const query = head.target.indexOf('?');
  return { ...head, path, target: `${site}${path}${query === -1 ? '' : head.target.slice(query)}` };
}
