import type { ClientAddress, LocalResponse, RequestHead } from '../lanes/lane.ts';
import { claimForwarded, endToEndHeaders, withHost, withoutListed } from './headers.ts';
import type { HttpRules } from './rules.ts';
import { originForm } from './target.ts';

/** A request as it goes to a server; the same for every attempt. */
export interface Outgoing {
  readonly kind: 'serve';
  /** As the rules left it. */
  readonly head: RequestHead;
  readonly target: string;
  /** End-to-end fields only. */
  readonly headers: readonly string[];
  /** No rule has put anything into target and headers. */
  readonly vetted: boolean;
}

/** Applies a frontend's rules and options to a request: what goes to servers, or the answer that a rule gives. */
export function outgoing(
  head: RequestHead,
  client: ClientAddress,
  forwardfor: boolean,
  rules: HttpRules,
): Outgoing | { readonly kind: 'answer'; readonly response: LocalResponse; readonly denied: boolean } {
  const { host, secure } = head;
  const given = withHost(withoutListed(head.headers), host);
  // Scheme and name before the rules, which may say otherwise; the client's address after them, as in HAProxy.
  const told = forwardfor ? claimForwarded({ headers: given, host, secure }) : given;
  const ruled = rules(told === head.headers ? head : { ...head, headers: told }, client.address);
  if (ruled.kind === 'answer') return ruled;
  const headers = endToEndHeaders(ruled.head.headers);
  if (forwardfor) headers.push('X-Forwarded-For', client.address);
  const vetted = ruled.head.headers === told && ruled.head.target === head.target;
  return { kind: 'serve', head: ruled.head, target: originForm(ruled.head), headers, vetted };
}
