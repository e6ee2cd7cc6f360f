import { Registry } from 'prom-client';
import type { SystemView } from '../control/view.ts';
import { BACKEND_COLUMNS, backendRow } from './columns/backend.ts';
import { FRONTEND_COLUMNS } from './columns/frontend.ts';
import { PROCESS_COLUMNS } from './columns/process.ts';
import { SERVER_COLUMNS, type ServerRow } from './columns/server.ts';
import { exposition, type Family } from './exposition.ts';
import { familiesOf, type Labelled } from './families.ts';
import { mysqlServerFamilies, mysqlVipFamilies } from './mysql-families.ts';
import { processMetrics } from './process-metrics.ts';
import { resolverFamilies } from './resolver-families.ts';
import { stickTableFamilies } from './stick-table-families.ts';
import { backendFamilies, frontendFamilies, globalFamilies, serverFamilies } from './vane-families.ts';

/** The groups that HAProxy's exporter lets a scrape choose from. */
export const SCOPES = ['global', 'frontend', 'backend', 'server', 'sticktable', 'resolver'] as const;

export type Scope = (typeof SCOPES)[number];

export interface MetricsFilter {
  readonly scopes: ReadonlySet<Scope>;
  /** False leaves out servers under maintenance. */
  readonly maintenance: boolean;
}

export const EVERYTHING: MetricsFilter = { scopes: new Set(SCOPES), maintenance: true };

export interface Metrics {
  /** All series of this moment, in Prometheus' text format. Rejects as the view does. */
  text(filter?: MetricsFilter): Promise<string>;
  readonly contentType: string;
}

/**
 * What Prometheus scrapes: HAProxy's metrics under its own names and labels, Vane's for what HAProxy lacks,
 * and those of the process. Every scrape is built from the view alone, so that nothing outlives what it is about;
 * scrapes that ask for the same while one is under way share it.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  return new ViewMetrics(options);
}

export interface MetricsOptions {
  readonly view: () => Promise<SystemView>;
  /** Lines of the access log that had to be dropped so far. */
  readonly accessDropped: () => number;
}

class ViewMetrics implements Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #options: MetricsOptions;
  /** By filter, of which there are few. */
  readonly #running = new Map<string, Promise<string>>();

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  text(filter: MetricsFilter = EVERYTHING): Promise<string> {
    const key = `${SCOPES.filter((scope) => filter.scopes.has(scope))} ${filter.maintenance}`;
    const running = this.#running.get(key);
    if (running) return running;
    const scrape = this.#scrape(filter).finally(() => this.#running.delete(key));
    this.#running.set(key, scrape);
    return scrape;
  }

  async #scrape(filter: MetricsFilter): Promise<string> {
    if (filter.scopes.size === 0) return '';
    const view = await this.#options.view();
    const text = await exposition(this.#families(view, filter));
    return filter.scopes.has('global') ? `${text}${await processMetrics()}` : text;
  }

  #families(view: SystemView, { scopes, maintenance }: MetricsFilter): readonly Family[] {
    const families: Family[] = [];
    if (scopes.has('global')) {
      const droppedLogs = this.#options.accessDropped();
      const row = { view, droppedLogs };
      families.push(...familiesOf('haproxy_process_', PROCESS_COLUMNS, [{ labels: {}, row }]));
      families.push(...globalFamilies(view, droppedLogs));
    }
    if (scopes.has('frontend')) {
      const rows = view.frontends.map(({ counters, status }) => ({
        labels: { proxy: counters.name },
        row: { mode: counters.mode, counters, status },
      }));
      families.push(...familiesOf('haproxy_frontend_', FRONTEND_COLUMNS, rows));
      families.push(...frontendFamilies(view.frontends));
    }
    if (scopes.has('backend')) {
      const rows = view.backends.map((backend) => ({
        labels: { proxy: backend.counters.name },
        row: backendRow(backend, view),
      }));
      families.push(...familiesOf('haproxy_backend_', BACKEND_COLUMNS, rows));
      families.push(...backendFamilies(view.backends), ...mysqlVipFamilies(view.mysqlVips));
    }
    if (scopes.has('server')) {
      const rows = serverRows(view, maintenance);
      families.push(...familiesOf('haproxy_server_', SERVER_COLUMNS, rows));
      families.push(...serverFamilies(rows), ...mysqlServerFamilies(view.mysqlVips));
    }
    if (scopes.has('sticktable')) families.push(...stickTableFamilies(view.backends));
    if (scopes.has('resolver')) families.push(...resolverFamilies(view.resolvers));
    return families;
  }
}

function serverRows(
  { backends, at, wall }: SystemView,
  maintenance: boolean,
): readonly Labelled<ServerRow>[] {
  return backends.flatMap(({ config: { name, mode }, servers }) =>
    servers
      .filter(({ state }) => maintenance || state.facts.operator.mode !== 'maint')
      .map((view) => ({
        labels: { proxy: name, server: view.snapshot.name },
        row: { mode, counters: view.counters, view, at, wall },
      })),
  );
}
