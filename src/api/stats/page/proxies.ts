import { reasonOf } from '../../../balance/state.ts';
import type { BackendView, FrontendView, NameView, ServerView, SystemView } from '../../../control/view.ts';
import { backendRow } from '../../../observe/columns/backend.ts';
import { serverState } from '../../../observe/columns/server-status.ts';
import { statusWord } from '../../../observe/statistics/status-word.ts';
import type { WorkCounters } from '../../../proxy/plane/counters.ts';
import { type Html, html } from '../../page/html.ts';
import { bytes, count, duration, milliseconds } from '../../page/words.ts';

export function frontendsTable(frontends: readonly FrontendView[]): Html {
  return html`
<h2 id="frontends">Frontends</h2>
<div class="scroll"><table>
<tr><th class="text" scope="col">Name</th><th class="text" scope="col">Status</th><th scope="col">Sessions</th>
<th scope="col">most</th><th scope="col">limit</th><th scope="col">per&nbsp;s</th><th scope="col">Requests</th>
<th scope="col">per&nbsp;s</th><th scope="col">4xx</th><th scope="col">5xx</th><th scope="col">Bad requests</th>
<th scope="col">Denied</th><th scope="col">Refused at limit</th><th scope="col">In</th><th scope="col">Out</th></tr>
${frontends.map(frontendLine)}
</table></div>`;
}

function frontendLine({ counters, status }: FrontendView): Html {
  const http = counters.mode === 'http';
  const inHttp = (number: number) => count(http ? number : undefined);
  return html`<tr><th class="text" scope="row">${counters.name}</th>
<td class="text ${status === 'OPEN' ? 'good' : 'bad'}">${status}</td><td>${count(counters.scur)}</td>
<td>${count(counters.smax)}</td><td>${count(counters.slim)}</td><td>${count(counters.connRate)}</td>
<td>${inHttp(counters.reqTot)}</td><td>${inHttp(counters.reqRate)}</td><td>${inHttp(counters.hrsp4xx)}</td>
<td>${inHttp(counters.hrsp5xx)}</td><td>${inHttp(counters.ereq)}</td><td>${inHttp(counters.dreq)}</td>
<td>${count(counters.dcon)}</td><td>${bytes(counters.bin)}</td><td>${bytes(counters.bout)}</td></tr>`;
}

/** @param servers those that are shown, of the backend's */
export function backendSection(backend: BackendView, servers: readonly ServerView[], view: SystemView): Html {
  const { config, up, since, names, panic } = backend;
  const left = backend.servers.length - servers.length;
  return html`
<h2 id="backend-${config.name}">${config.name}
<span class="${up ? 'good' : 'bad'}">${up ? 'UP' : 'DOWN'}</span>
<small class="quiet">for ${duration(view.at - since)}, ${config.mode}, ${config.balance.kind}</small></h2>
${panic.active ? html`<p class="warn">So few servers are up that all are used (panic-threshold).</p>` : undefined}
${names.map((name) => nameLine(name))}
<div class="scroll"><table>
<tr><th class="text" scope="col">Server</th><th class="text" scope="col">Address</th>
<th class="text" scope="col">Status</th><th scope="col">for</th><th class="text" scope="col">Why</th>
<th scope="col">Weight</th><th scope="col">Sessions</th><th scope="col">most</th><th scope="col">limit</th>
<th scope="col">Queue</th><th scope="col">Requests</th><th scope="col">per&nbsp;s</th><th scope="col">5xx</th>
<th scope="col">Connect errors</th><th scope="col">Answer errors</th><th scope="col">Retries</th>
<th scope="col">Time</th><th scope="col">In</th><th scope="col">Out</th><th scope="col">Down</th></tr>
${servers.map((server) => serverLine(server, view.at))}
${left > 0 ? html`<tr><td class="text quiet" colspan="20">${count(left)} more, not shown</td></tr>` : undefined}
${totalLine(backend, view)}
</table></div>
<p><a href="/explain?backend=${encodeURIComponent(config.name)}">why each server is in or out, and what befell it</a></p>`;
}

function nameLine({ domain, resolvers, servers, age, error, kept, held, stale, hint }: NameView): Html {
  const found = age === undefined ? 'not answered yet' : `${count(servers)} servers, ${duration(age)} ago`;
  const notes = [
    error && `last look-up failed: ${error.message}`,
    stale && 'nobody has answered for so long that it may be wrong',
    kept && 'an empty answer is held back (on-empty)',
    held > 0 && `${held} servers are gone from it and stay for now (max-removal)`,
    hint && 'servers known from before the start stand in',
  ].filter((note) => typeof note === 'string');
  return html`<p class="quiet">${domain} <small>by ${resolvers}</small>: ${found}${notes.map(
    (note) => html`; <span class="warn">${note}</span>`,
  )}</p>`;
}

function serverLine(server: ServerView, at: number): Html {
  const { snapshot, state, check, counters, downs, downtime } = server;
  const { why } = reasonOf(state.facts);
  // What took it down has been said by the reason.
  const said = check?.lastCode === 'INI' || !state.facts.health.up;
  const checked = check && !said ? `${check.lastCode}: ${check.info || check.desc}` : '';
  const address = snapshot.address.includes(':') ? `[${snapshot.address}]` : snapshot.address;
  return html`<tr><th class="text" scope="row">${snapshot.name}${
    snapshot.backup ? html` <small class="quiet">backup</small>` : undefined
  }</th><td class="text">${address}:${snapshot.port}</td>
<td class="text ${tone(server)}">${statusWord(server)}</td><td>${duration(at - state.since)}</td>
<td class="why">${why}${checked ? html` <small class="quiet">${checked}</small>` : undefined}</td>
<td>${snapshot.weight}</td>${workCells(counters, snapshot.maxconn || undefined)}
<td>${duration(downtime)}${downs > 0 ? html` <small class="quiet">${downs} ×</small>` : undefined}</td></tr>`;
}

function totalLine(backend: BackendView, view: SystemView): Html {
  const { active, backup, weight } = backendRow(backend, view);
  const { counters, downtime, downs } = backend;
  return html`<tr class="total"><td class="text">all</td><td class="text"></td>
<td class="text" colspan="3">${active} active, ${backup} backup</td><td>${weight}</td>${workCells(counters, undefined)}
<td>${duration(downtime)}${downs > 0 ? html` <small class="quiet">${downs} ×</small>` : undefined}</td></tr>`;
}

function workCells(counters: WorkCounters | undefined, limit: number | undefined): Html {
  if (!counters) return html`<td class="quiet" colspan="13">no work yet</td>`;
  const { scur, smax, qcur, stot, rate, hrsp5xx, econ, eresp, wretr, wredis, ttime, bin, bout } = counters;
  return html`<td>${count(scur)}</td><td>${count(smax)}</td><td>${count(limit)}</td><td>${count(qcur)}</td>
<td>${count(stot)}</td><td>${count(rate)}</td><td>${count(hrsp5xx)}</td><td>${count(econ)}</td>
<td>${count(eresp)}</td><td>${count(wretr + wredis)}</td><td>${milliseconds(ttime)}</td><td>${bytes(bin)}</td>
<td>${bytes(bout)}</td>`;
}

function tone(server: ServerView): 'good' | 'bad' | 'warn' {
  const state = serverState(server);
  if (state === 'UP') return 'good';
  return state === 'DOWN' ? 'bad' : 'warn';
}
