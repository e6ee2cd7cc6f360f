import type { FrontendConfig, HttpRequestRule } from '../../config/runtime.ts';
import type { LocalResponse, RequestHead } from '../lanes/lane.ts';
import { compileCondition, type Predicate } from '../rules/condition.ts';
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
          head = { ...head, headers: withHeader(head.headers, rule.header, rule.value) };
          break;
        case 'add-header':
          head = { ...head, headers: [...head.headers, rule.header, rule.value] };
          break;
        case 'del-header':
          head = { ...head, headers: withHeader(head.headers, rule.header, undefined) };
          break;
        case 'set-path':
          head = withPath(head, rule.value);
          break;
      }
    }
    return { kind: 'serve', head };
  };
}

function returned(rule: Extract<HttpRequestRule, { action: 'return' }>): LocalResponse {
  const headers = rule.contentType === undefined ? [] : ['content-type', rule.contentType];
  return { status: rule.status, headers, body: rule.body, close: false };
}

function redirect(rule: Extract<HttpRequestRule, { action: 'redirect' }>, head: RequestHead): LocalResponse {
  return {
    status: rule.code,
    headers: ['location', locationOf(rule, head), 'cache-control', 'no-cache'],
    body: '',
    close: false,
  };
}

function locationOf(rule: Extract<HttpRequestRule, { action: 'redirect' }>, head: RequestHead): string {
  switch (rule.type) {
    case 'location':
      return rule.to;
    case 'prefix':
      // "/" as the prefix means "as it was asked for" (section 4.2, "redirect prefix").
      return rule.to === '/' ? originForm(head) : `${rule.to}${originForm(head)}`;
    case 'scheme':
      return `${rule.to}://${head.host}${originForm(head)}`;
  }
}

function withPath(head: RequestHead, path: string): RequestHead {
  const query = head.target.indexOf('?');
  return { ...head, path, target: query === -1 ? path : `${path}${head.target.slice(query)}` };
}
