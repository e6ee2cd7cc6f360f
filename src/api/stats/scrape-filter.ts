import { EVERYTHING, type MetricsFilter, SCOPES, type Scope } from '../../observe/metrics.ts';

/** Scopes of HAProxy's exporter that name something Vane has no metrics of. */
const WITHOUT_METRICS = ['listener'];

/**
 * What a scrape asks for, by the parameters of HAProxy's exporter: any number of `scope`s, in order, where an
 * empty one forgets those before it and `*` stands for all; and `no-maint`. Undefined: there is no such scope.
 */
export function scrapeFilter(query: URLSearchParams): MetricsFilter | undefined {
  const maintenance = !query.has('no-maint');
  if (!query.has('scope')) return { ...EVERYTHING, maintenance };
  const scopes = new Set<Scope>();
  for (const scope of query.getAll('scope')) {
    if (isScope(scope)) scopes.add(scope);
    else if (scope === '*') for (const each of SCOPES) scopes.add(each);
    else if (scope === '') scopes.clear();
    else if (!WITHOUT_METRICS.includes(scope)) return undefined;
  }
  return { scopes, maintenance };
}

function isScope(name: string): name is Scope {
  return SCOPES.some((scope) => scope === name);
}
