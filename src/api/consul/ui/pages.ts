import type { Check, Instance, RegistryNode } from '../../../registry/model.ts';
import { aggregateStatus, type CatalogReader, type ServiceEntry } from '../../../registry/reader.ts';
import { page } from '../../page/document.ts';
import { type Html, type HtmlValue, html } from '../../page/html.ts';
import { count } from '../../page/words.ts';
import type { Rights } from '../rights.ts';
import { readsCheck } from '../vet.ts';

// The registry for people, as far as a client may see it: https://developer.hashicorp.com/consul/docs/services

/** More is nothing to look at, and would take the process long to write. */
const MOST_ROWS = 1_000;

/** Every service and how its instances are. */
export function servicesPage(catalog: CatalogReader, rights: Rights): string {
  const names = [...catalog.services().value].filter(([name]) => rights.readsService(name));
  const rows = names.slice(0, MOST_ROWS).map(([name, tags]) => {
    const statuses = catalog.entries(name).value.map(({ checks }) => aggregateStatus(checks));
    const has = (status: string) => statuses.filter((one) => one === status).length;
    return html`<tr><th class="text" scope="row"><a href="${link('services', name)}">${name}</a></th>
<td>${count(statuses.length)}</td><td class="good">${some(has('passing'))}</td>
<td class="warn">${some(has('warning'))}</td><td class="bad">${some(has('critical'))}</td>
<td class="why">${tags.join(', ')}</td></tr>`;
  });
  const head = html`<tr>${column('Service')}${number('Instances')}${number('Passing')}${number('Warning')}
${number('Critical')}${column('Tags')}</tr>`;
  return whole(catalog, 'Services', table(head, rows, names.length, 6));
}

/** The instances of one service with what their checks last said; undefined: there is none. */
export function servicePage(catalog: CatalogReader, rights: Rights, service: string): string | undefined {
  const entries = rights.readsService(service) ? catalog.entries(service).value : [];
  if (entries.length === 0) return undefined;
  const rows = entries.slice(0, MOST_ROWS).map(instanceRow);
  const head = html`<tr>${column('Instance')}${column('Address')}${column('Node')}${column('Status')}
${column('Checks')}${column('Tags')}</tr>`;
  return whole(catalog, `Service ${service}`, table(head, rows, entries.length, 6));
}

function instanceRow({ node, instance, checks }: ServiceEntry): Html {
  return html`<tr><th class="text" scope="row">${instance.id}</th>
<td class="text">${addressOf(instance, node)}</td>
<td class="text"><a href="${link('nodes', node.node)}">${node.node}</a></td>${statusCell(aggregateStatus(checks))}
<td class="why">${checks.map(checkLine)}</td><td class="why">${instance.tags.join(', ')}</td></tr>`;
}

/** Every node and how it is. */
export function nodesPage(catalog: CatalogReader, rights: Rights): string {
  const nodes = rights.reads ? catalog.nodes().value : [];
  const rows = nodes.slice(0, MOST_ROWS).map(({ node, address }) => {
    const own = catalog.nodeChecks(node).value.filter(({ serviceId }) => serviceId === '');
    const instances = catalog.node(node).value?.instances ?? [];
    return html`<tr><th class="text" scope="row"><a href="${link('nodes', node)}">${node}</a></th>
<td class="text">${address}</td>${statusCell(aggregateStatus(own))}
<td>${count(instances.filter(({ service }) => rights.readsService(service)).length)}</td></tr>`;
  });
  const head = html`<tr>${column('Node')}${column('Address')}${column('Status')}${number('Instances')}</tr>`;
  return whole(catalog, 'Nodes', table(head, rows, nodes.length, 4));
}

/** One node: its instances and its checks; undefined: there is none. */
export function nodePage(catalog: CatalogReader, rights: Rights, name: string): string | undefined {
  const found = rights.reads ? catalog.node(name).value : undefined;
  if (!found) return undefined;
  const { node } = found;
  const instances = found.instances.filter(({ service }) => rights.readsService(service));
  const checks = catalog.nodeChecks(node.node).value.filter((check) => readsCheck(rights, check));
  const of = (id: string) => checks.filter(({ serviceId }) => serviceId === id);
  const rows = instances.slice(0, MOST_ROWS).map(
    (instance) => html`<tr><th class="text" scope="row">${instance.id}</th>
<td class="text"><a href="${link('services', instance.service)}">${instance.service}</a></td>
<td class="text">${addressOf(instance, node)}</td>${statusCell(aggregateStatus([...of(''), ...of(instance.id)]))}
<td class="why">${of(instance.id).map(checkLine)}</td></tr>`,
  );
  const head = html`<tr>${column('Instance')}${column('Service')}${column('Address')}${column('Status')}
${column('Checks')}</tr>`;
  return whole(catalog, `Node ${node.node}`, [
    html`<p class="quiet">${node.address}</p>`,
    of('').map(checkLine),
    table(head, rows, instances.length, 5),
  ]);
}

/** What is not there, or is not for this client. */
export function absentPage(catalog: CatalogReader, what: string): string {
  return whole(
    catalog,
    'Not found',
    html`<p class="bad">${what} is not registered, or not for you to see.</p>`,
  );
}

function whole({ self, datacenter }: CatalogReader, title: string, body: HtmlValue): string {
  return page(
    title,
    html`
<header><h1>${title} <small class="quiet">${datacenter}, by ${self}</small></h1>
<nav><a href="/ui/">services</a> <a href="/ui/nodes">nodes</a></nav></header>
<main>${body}</main>`,
  );
}

function table(head: Html, rows: readonly Html[], all: number, columns: number): Html {
  if (all === 0) return html`<p class="quiet">Nothing is registered that you may see.</p>`;
  const left = all - rows.length;
  return html`<div class="scroll"><table>
${head}
${rows}
${left > 0 ? html`<tr><td class="text quiet" colspan="${columns}">${count(left)} more, not shown</td></tr>` : undefined}
</table></div>`;
}

function column(name: string): Html {
  return html`<th class="text" scope="col">${name}</th>`;
}

function number(name: string): Html {
  return html`<th scope="col">${name}</th>`;
}

function link(kind: 'services' | 'nodes', name: string): string {
  return `/ui/${kind}/${encodeURIComponent(name)}`;
}

function addressOf({ address, port }: Instance, node: RegistryNode): string {
  const host = address || node.address;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function statusCell(status: string): Html {
  return html`<td class="text ${toneOf(status)}">${status}</td>`;
}

function checkLine({ name, id, status, output }: Check): Html {
  const said =
    output === '' ? undefined : html` <small class="quiet">${output.slice(0, LONGEST_OUTPUT)}</small>`;
  return html`<p><span class="${toneOf(status)}">${status}</span> ${name || id}${said}</p>`;
}

/** Of a check's output, characters; all of it is told by the API. */
const LONGEST_OUTPUT = 400;

function toneOf(status: string): 'good' | 'warn' | 'bad' {
  if (status === 'passing') return 'good';
  return status === 'warning' ? 'warn' : 'bad';
}

function some(number: number): string {
  return number === 0 ? '' : count(number);
}
