import type { BackendView, FrontendView, ServerView, SystemView } from '../../control/view.ts';
import { BACKEND_COLUMNS, backendRow } from '../columns/backend.ts';
import { FRONTEND_COLUMNS } from '../columns/frontend.ts';
import { SERVER_COLUMNS } from '../columns/server.ts';
import type { Column } from '../columns.ts';
import { CSV_FIELDS } from './csv-fields.ts';
import { statusWord } from './status-word.ts';

/** HAProxy's numbers for what a line is about. */
const FRONTEND = '0';
const BACKEND = '1';
const SERVER = '2';

type Line = Map<string, string>;

/**
 * The statistics as HAProxy writes them for `show stat` and `;csv`: a line of names, then one for each frontend, and for
 * each backend its servers and itself. A field that Vane has no value for is empty, as it is there for what an object
 * does not have.
 */
export function statisticsCsv(view: SystemView): string {
  const lines = [`# ${CSV_FIELDS.join(',')},`];
  // A proxy's number, by its place: frontends come first, as their lines do.
  let iid = 0;
  for (const frontend of view.frontends) lines.push(written(frontendLine(frontend, ++iid)));
  for (const backend of view.backends) {
    const row = backendRow(backend, view);
    iid++;
    backend.servers.forEach((server, index) => {
      const { counters } = server;
      const { mode } = backend.config;
      const line = serverLine(backend, server, { iid, sid: index + 1 });
      fill(line, SERVER_COLUMNS, { mode, counters, view: server, at: view.at, wall: view.wall });
      lines.push(written(line));
    });
    const line = backendLine(backend, iid);
    fill(line, BACKEND_COLUMNS, row);
    lines.push(written(line));
  }
  return `${lines.join('\n')}\n`;
}

function frontendLine({ counters, status }: FrontendView, iid: number): Line {
  const { name, mode } = counters;
  const line = lineOf({ pxname: name, svname: 'FRONTEND', type: FRONTEND, mode, iid, sid: 0, status });
  line.set('req_rate', mode === 'http' ? String(counters.reqRate) : '');
  line.set('conn_rate', String(counters.connRate));
  fill(line, FRONTEND_COLUMNS, { mode, counters, status });
  return line;
}

function backendLine({ config, up }: BackendView, iid: number): Line {
  const { name: pxname, mode, balance } = config;
  const status = up ? 'UP' : 'DOWN';
  return lineOf({ pxname, svname: 'BACKEND', type: BACKEND, mode, iid, sid: 0, status, algo: balance.kind });
}

function serverLine(
  { config }: BackendView,
  server: ServerView,
  { iid, sid }: { readonly iid: number; readonly sid: number },
): Line {
  const { snapshot, check, agent } = server;
  const { address, port } = snapshot;
  const addr = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const line = lineOf({
    ...{ pxname: config.name, svname: snapshot.name, type: SERVER, mode: config.mode, iid, sid, addr },
    status: statusWord(server),
  });
  if (check) {
    const { rise, fall, health, desc, info, lastCode } = check;
    setAll(line, { check_status: lastCode, check_desc: desc, last_chk: info });
    setAll(line, { check_rise: rise, check_fall: fall, check_health: health });
  }
  if (agent) {
    setAll(line, { agent_status: agent.lastCode, agent_desc: agent.desc, last_agt: agent.info });
  }
  return line;
}

function lineOf(fields: Readonly<Record<string, string | number>>): Line {
  const line: Line = new Map([['pid', '1']]);
  setAll(line, fields);
  return line;
}

function setAll(line: Line, fields: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(fields)) line.set(name, String(value));
}

/** The numbers; which states a line's object is in has been told in words. */
function fill<Row>(line: Line, columns: readonly Column<Row>[], row: Row): void {
  for (const column of columns) {
    if ('states' in column) continue;
    const value = column.read(row);
    if (value !== undefined) line.set(column.csv, String(Math.round(value)));
  }
}

/** Every field is followed by a comma, the last one too. */
function written(line: Line): string {
  return `${CSV_FIELDS.map((field) => quoted(line.get(field) ?? '')).join(',')},`;
}

/** RFC 4180 section 2; line breaks would break the readers that split by lines. */
function quoted(text: string): string {
  const flat = text.replace(/[\r\n]+/g, ' ');
  return /[",]/.test(flat) ? `"${flat.replaceAll('"', '""')}"` : flat;
}
