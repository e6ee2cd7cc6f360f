import { datacenterIn, parseName } from '../../dns/names.ts';

/** What a name in Consul's zone asks for, and of which datacenter; undefined: the one of whoever is asked. */
export type Question = (
  | { readonly kind: 'service'; readonly service: string; readonly tag: string | undefined }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'query'; readonly query: string }
) & { readonly datacenter: string | undefined };

const ZONE = { domain: 'consul' };
/** Any name that is a datacenter's; names are read as if it were their own. */
const NO_DATACENTER = 'dc';

/** Undefined: no server is meant by it. */
export function parseQuestion(name: string): Question | undefined {
  const srv = name.startsWith('_');
  const datacenter = datacenterIn(name, ZONE, srv);
  const asked = parseName(name, { ...ZONE, datacenter: datacenter ?? NO_DATACENTER }, srv);
  switch (asked.kind) {
    case 'service':
    case 'node':
    case 'query':
      return { ...asked, datacenter };
    default:
      return undefined;
  }
}

/**
 * Where it is asked, without what is about waiting. One path for a service whatever the tag and the state of its
 * checks: what is left out is known with the reason, and one query serves all who ask about it.
 */
export function pathOf(question: Question, datacenter: string | undefined): string {
  const dc = question.datacenter ?? datacenter;
  // As Consul's own DNS: any server may answer, and how far it is behind comes with the answer.
  const query = dc === undefined ? 'stale' : `stale&dc=${encodeURIComponent(dc)}`;
  switch (question.kind) {
    case 'service':
      return `/v1/health/service/${encodeURIComponent(question.service)}?${query}`;
    case 'node':
      return `/v1/catalog/node/${encodeURIComponent(question.node)}?${query}`;
    case 'query':
      return `/v1/query/${encodeURIComponent(question.query)}/execute?${query}`;
  }
}

/**
 * The name to look up at nameservers for the same: services by SRV, whose records have ports. Undefined: the same name,
 * by its addresses.
 */
export function srvName(name: string): string | undefined {
  if (name.startsWith('_')) return name;
  const question = parseQuestion(name);
  if (question?.kind !== 'service' || question.tag?.includes('.')) return undefined;
  const { service, tag = 'tcp', datacenter } = question;
  return `_${service}._${tag}.service.${datacenter === undefined ? '' : `${datacenter}.`}consul`;
}

/** For metrics: `service web`, `node lb-1 dc2`. */
export function nameOf(question: Question): string {
  const what =
    question.kind === 'service'
      ? question.service
      : question.kind === 'node'
        ? question.node
        : question.query;
  return [question.kind, what, ...(question.datacenter === undefined ? [] : [question.datacenter])].join(' ');
}
