import type { ServerView, SystemView } from '../../../control/view.ts';
import { serverState } from '../../../observe/columns/server-status.ts';
import { page } from '../../page/document.ts';
import { type Html, html } from '../../page/html.ts';
import { count, duration } from '../../page/words.ts';
import { mysqlVipSection } from './mysql-vips.ts';
import { backendSection, frontendsTable } from './proxies.ts';

/** Of all backends together: more is nothing to look at, and would take the process long to write. */
const MOST_SERVERS = 1_000;
/** Seconds. */
const SOONEST_REFRESH = 1;
const LATEST_REFRESH = 3_600;

/** What of the whole is shown. */
export interface PageRequest {
  /** One backend by name; undefined: all. */
  readonly backend: string | undefined;
  /** Only servers that are not up. */
  readonly onlyTrouble: boolean;
  /** Seconds until the browser asks again; undefined: it does not. */
  readonly refresh: number | undefined;
}

/** `?backend=NAME`, `?trouble`, `?refresh=SECONDS`. */
export function pageRequest(query: URLSearchParams): PageRequest {
  const asked = Number(query.get('refresh'));
  return {
    backend: query.get('backend') ?? undefined,
    onlyTrouble: query.has('trouble'),
    refresh: asked > 0 ? Math.min(LATEST_REFRESH, Math.max(SOONEST_REFRESH, Math.round(asked))) : undefined,
  };
}

/** The statistics for people, as HAProxy's `stats enable` shows them (configuration manual, section 4.2). */
export function statisticsPage(view: SystemView, reasons: readonly string[], request: PageRequest): string {
  const { refresh, backend: only } = request;
  const { node } = view.process;
  const again = refresh === undefined ? undefined : html`<meta http-equiv="refresh" content="${refresh}">`;
  const body = html`
${header(view, reasons, request)}
<main>
${only === undefined && view.frontends.length > 0 ? frontendsTable(view.frontends) : undefined}
${backends(view, request)}
${only === undefined ? view.mysqlVips.map(mysqlVipSection) : undefined}
</main>`;
  return page(node, body, again);
}

function header({ process, wall }: SystemView, reasons: readonly string[], request: PageRequest): Html {
  const { node, version, pid, startedAt, connections, maxconn, reloads, workers, storing, cluster } = process;
  const facts = [
    `up for ${duration(wall - startedAt)}`,
    `pid ${pid}`,
    `${count(connections)} of ${count(maxconn)} connections`,
    workers.running > 0 && `${workers.running} workers`,
    workers.draining > 0 && `${workers.draining} draining`,
    `configurations taken: ${count(reloads.taken)}`,
    reloads.refused > 0 && `refused: ${count(reloads.refused)}`,
    cluster &&
      `shares its registry as ${cluster.self}, index ${count(cluster.index)}, leader ${cluster.leader ?? 'unknown'}`,
  ].filter((fact) => typeof fact === 'string');
  const warnings = [
    ...(process.stopping ? ['stopping'] : []),
    ...(workers.restarts > 0 ? [`${workers.restarts} workers had to be started again`] : []),
    ...(storing && !storing.works ? ['the registry cannot be stored'] : []),
    ...(cluster && cluster.lease !== 'held' ? [`the lease of this node is ${cluster.lease}`] : []),
  ];
  return html`<header>
<h1>Vane on ${node} <small class="quiet">${version}</small></h1>
<p class="quiet">${facts.join(' · ')}</p>
${reasons.length === 0 ? html`<p class="good">Ready.</p>` : undefined}
${reasons.map((reason) => html`<p class="bad">Not ready: ${reason}</p>`)}
${warnings.map((warning) => html`<p class="warn">${warning}</p>`)}
${links(request)}
</header>`;
}

function links({ backend, onlyTrouble, refresh }: PageRequest): Html {
  const to = (change: Partial<PageRequest>) => {
    const next = { backend, onlyTrouble, refresh, ...change };
    const query = new URLSearchParams();
    if (next.backend !== undefined) query.set('backend', next.backend);
    if (next.onlyTrouble) query.set('trouble', '');
    if (next.refresh !== undefined) query.set('refresh', String(next.refresh));
    return query.size > 0 ? `/stats?${query}` : '/stats';
  };
  return html`<nav>
${backend === undefined ? undefined : html`<a href="${to({ backend: undefined })}">all backends</a>`}
<a href="${to({ onlyTrouble: !onlyTrouble })}">${onlyTrouble ? 'all servers' : 'only servers in trouble'}</a>
<a href="${to({ refresh: refresh === undefined ? 5 : undefined })}">${refresh === undefined ? 'refresh every 5 s' : 'stop refreshing'}</a>
<a href="/stats;csv">CSV</a>
<a href="/metrics">metrics</a>
</nav>`;
}

function backends(view: SystemView, { backend: only, onlyTrouble }: PageRequest): Html | Html[] {
  const shown = view.backends.filter(({ config }) => only === undefined || config.name === only);
  if (shown.length === 0 && only !== undefined) return html`<p class="bad">No backend is called ${only}.</p>`;
  let room = MOST_SERVERS;
  return shown.map((backend) => {
    const servers = (onlyTrouble ? backend.servers.filter(isInTrouble) : backend.servers).slice(0, room);
    room -= servers.length;
    return backendSection(backend, servers, view);
  });
}

function isInTrouble(server: ServerView): boolean {
  return serverState(server) !== 'UP';
}
