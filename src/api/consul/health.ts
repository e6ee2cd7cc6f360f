import { RecentMap } from '../../dns/recent-map.ts';
import { fold } from '../../registry/fold.ts';
import type { Check } from '../../registry/model.ts';
import type { CatalogReader, Query, ServiceEntry } from '../../registry/reader.ts';
import type { Answer } from './answer.ts';
import { type ApiContext, indexed } from './context.ts';
import { checkJson, healthEntryJson } from './encode.ts';
import { filterOf } from './filter.ts';
import { CHECK, HEALTH_ENTRY } from './filter-shapes.ts';
import { SharedJson } from './json-text.ts';
import { nodeMetaMatcher, parseBool, tagMatcher } from './query.ts';
import { Refusal } from './refusal.ts';
import { type Call, get, type Route } from './route.ts';
import { readsCheck } from './vet.ts';

/** https://developer.hashicorp.com/consul/api-docs/health */
export function healthRoutes(api: ApiContext): readonly Route[] {
  const { catalog } = api.registry;
  const answers: SharedAnswers = new RecentMap(MOST_SHARED, MOST_SHARED_CHARACTERS);
  return [
    get('/v1/health/service/', (call) => serviceHealth(api, call, answers)),
    get('/v1/health/connect/', (call) => {
      const service = required(call, 'Missing service name');
      return noneConnected(api, call, { kind: 'health-service', service });
    }),
    get('/v1/health/node/', (call) => {
      const node = required(call, 'Missing node name');
      return checks(api, call, { kind: 'health-node', node }, () => catalog.nodeChecks(node));
    }),
    get('/v1/health/checks/', (call) => {
      const service = required(call, 'Missing service name');
      return checks(api, call, { kind: 'health-checks', service }, () => catalog.serviceChecks(service));
    }),
    get('/v1/health/state/', (call) => {
      const state = required(call, 'Missing check state');
      return checks(api, call, { kind: 'health-state' }, () => catalog.checksInState(state));
    }),
  ];
}

/** A name that stands in the path. */
export function required(call: Call, complaint: string): string {
  if (call.rest === '') throw new Refusal(400, complaint);
  return call.rest;
}

/** The instances that a service mesh would reach: there is no mesh, so none. */
export function noneConnected(api: ApiContext, call: Call, query: Query): Promise<Answer> {
  const index = () => api.registry.catalog.indexOf(query);
  return indexed(
    api,
    call,
    query,
    () => ({ index: index(), value: [] }),
    (none) => none,
  );
}

/** Those that the client may see. */
export function readable({ rights }: Call, entries: readonly ServiceEntry[]): readonly ServiceEntry[] {
  return entries.filter(({ instance }) => rights.readsService(instance.service));
}

/** The instances of a service that the request's tags and node metadata ask for. */
export function matching(call: Call, entries: readonly ServiceEntry[]): readonly ServiceEntry[] {
  const hasTags = tagMatcher(call.query);
  const hasMeta = nodeMetaMatcher(call.query);
  if (!hasTags && !hasMeta) return entries;
  return entries.filter(
    ({ instance, node }) => (hasTags?.(instance.tags) ?? true) && (hasMeta?.(node.meta) ?? true),
  );
}

/** Answers that do not depend on who asks, by service and what is left out, with what they were made from. */
type SharedAnswers = RecentMap<{ readonly entries: readonly ServiceEntry[]; readonly json: SharedJson }>;

const MOST_SHARED = 4_096;
/** What many wait for has changed just now: the last few are those that are asked for again. */
const MOST_SHARED_CHARACTERS = 2 * 1024 * 1024;
/** Parameters that make an answer the asker's own. */
const NARROWING = ['filter', 'tag', 'node-meta', 'pretty'] as const;

function serviceHealth(api: ApiContext, call: Call, answers: SharedAnswers): Promise<Answer> {
  const service = required(call, 'Missing service name');
  const passing = passingOnly(call);
  const keep = filterOf(call.query.get('filter'), HEALTH_ENTRY);
  return indexed(
    api,
    call,
    { kind: 'health-service', service },
    () => api.registry.catalog.entries(service),
    (entries) => {
      if (call.rights.readsService(service) && !NARROWING.some((name) => call.query.has(name))) {
        return shared(answers, service, entries, passing);
      }
      const found = readable(call, matching(call, entries)).filter((entry) => keep(healthEntryJson(entry)));
      return (passing ? withoutFailing(found) : found).map(healthEntryJson);
    },
  );
}

/** The catalog's list is another one after each change of the service, so as long as it is the same, so is the answer. */
function shared(
  answers: SharedAnswers,
  service: string,
  entries: readonly ServiceEntry[],
  passing: boolean,
): SharedJson {
  const key = `${passing ? 'passing' : 'all'} ${fold(service)}`;
  const known = answers.get(key);
  if (known?.entries === entries) return known.json;
  const json = new SharedJson((passing ? withoutFailing(entries) : entries).map(healthEntryJson));
  answers.set(key, { entries, json }, json.text.length);
  return json;
}

function passingOnly(call: Call): boolean {
  const given = call.query.get('passing');
  if (given === null) return false;
  const passing = given === '' ? true : parseBool(given);
  if (passing === undefined) throw new Refusal(400, 'Invalid value for ?passing');
  return passing;
}

/**
 * Drops instances with a check that does not pass. Consul fills each gap with the last of the list, and clients
 * see that order.
 */
function withoutFailing(entries: readonly ServiceEntry[]): readonly ServiceEntry[] {
  const left = [...entries];
  for (let at = 0; at < left.length; ) {
    if (left[at]?.checks.every((check) => check.status === 'passing')) {
      at++;
      continue;
    }
    const last = left.pop();
    if (last && at < left.length) left[at] = last;
  }
  return left;
}

function checks(
  api: ApiContext,
  call: Call,
  query: Query,
  read: () => ReturnType<CatalogReader['nodeChecks']>,
): Promise<Answer> {
  const keep = filterOf(call.query.get('filter'), CHECK);
  return indexed(api, call, query, read, (found) => onNodes(api, call, found).map(checkJson).filter(keep));
}

function onNodes(api: ApiContext, call: Call, found: readonly Check[]): readonly Check[] {
  const { rights } = call;
  const seen = found.filter((check) => readsCheck(rights, check));
  const hasMeta = nodeMetaMatcher(call.query);
  if (!hasMeta) return seen;
  const { catalog } = api.registry;
  return seen.filter((check) => hasMeta(catalog.node(check.node).value?.node.meta ?? null));
}
