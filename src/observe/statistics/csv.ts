import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BackendView, FrontendView, ServerView, SystemView } from '../../control/view.ts';
import { BACKEND_COLUMNS, backendRow } from '../columns/backend.ts';
import { FRONTEND_COLUMNS } from '../columns/frontend.ts';
import { SERVER_COLUMNS } from '../columns/server.ts';
import type { Column } from '../columns.ts';
import { CSV_FIELDS, type CsvField } from './csv-fields.ts';
import { statusWord } from './status-word.ts';

/** HAProxy's numbers for what a line is about. */
const FRONTEND = 0;
const BACKEND = 1;
const SERVER = 2;

/** Lines after which others get their turn: about a millisecond's work. */
const LINES_AT_ONCE = 100;

/** One value for each field. */
type Line = string[];
type Values = Partial<Record<CsvField, string | number>>;

/**
 * The statistics as HAProxy writes them for `show stat` and `;csv`: a line of names, then one for each frontend, and for
 * each backend its servers and itself. A field that Vane has no value for is empty, as it is there for what an object
 * does not have. Hands the event loop back now and then.
 */
export async function statisticsCsv(view: SystemView): Promise<string> {
  const parts = [`# ${CSV_FIELDS.join(',')},\n`];
  for (const line of linesOf(view)) {
    // Every field is followed by a comma, the last one too.
    parts.push(line.join(','), ',\n');
    if (parts.length % (2 * LINES_AT_ONCE) === 1) await nextTurn();
  }
  return parts.join('');
}

function* linesOf(view: SystemView): Generator<Line> {
  // A proxy's number, by its place: frontends come first, as their lines do.
  let iid = 0;
  for (const frontend of view.frontends) yield frontendLine(frontend, ++iid);
  for (const backend of view.backends) {
    iid++;
    for (const [index, server] of backend.servers.entries()) {
      yield serverLine(backend, server, { iid, sid: index + 1 }, view);
    }
    yield backendLine(backend, iid, view);
  }
}

function frontendLine({ counters, status }: FrontendView, iid: number): Line {
  const { name, mode } = counters;
  const line = lineOf({ pxname: name, svname: 'FRONTEND', type: FRONTEND, mode, iid, sid: 0, status });
  put(line, { conn_rate: counters.connRate });
  if (mode === 'http') put(line, { req_rate: counters.reqRate });
  FRONTEND_NUMBERS(line, { mode, counters, status });
  return line;
}

function backendLine(backend: BackendView, iid: number, view: SystemView): Line {
  const { name: pxname, mode, balance } = backend.config;
  const status = backend.up ? 'UP' : 'DOWN';
  const line = lineOf({ pxname, svname: 'BACKEND', type: BACKEND, mode, iid, sid: 0, status });
  put(line, { algo: balance.kind });
  BACKEND_NUMBERS(line, backendRow(backend, view));
  return line;
}

function serverLine(
  { config: { name: pxname, mode } }: BackendView,
  server: ServerView,
  { iid, sid }: { readonly iid: number; readonly sid: number },
  { at, wall }: SystemView,
): Line {
  const { snapshot, check, agent, counters } = server;
  const { address, port } = snapshot;
  const addr = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const status = statusWord(server);
  const line = lineOf({ pxname, svname: snapshot.name, type: SERVER, mode, iid, sid, addr, status });
  if (check) {
    const { rise, fall, health, desc, info, lastCode } = check;
    put(line, { check_status: lastCode, check_desc: desc, last_chk: info });
    put(line, { check_rise: rise, check_fall: fall, check_health: health });
  }
  if (agent) put(line, { agent_status: agent.lastCode, agent_desc: agent.desc, last_agt: agent.info });
  SERVER_NUMBERS(line, { mode, counters, view: server, at, wall });
  return line;
}

function lineOf(values: Values): Line {
  const line: Line = new Array(CSV_FIELDS.length).fill('');
  put(line, { pid: 1, ...values });
  return line;
}

function put(line: Line, values: Values): void {
  for (const [field, value] of Object.entries(values)) {
    const place = PLACES.get(field);
    if (place !== undefined) line[place] = typeof value === 'number' ? String(value) : quoted(value);
  }
}

const PLACES: ReadonlyMap<string, number> = new Map(CSV_FIELDS.map((field, place) => [field, place]));

/** Which states an object is in is told in words, by {@link put}. */
function numbersOf<Row>(columns: readonly Column<Row>[]): (line: Line, row: Row) => void {
  const placed = columns.flatMap((column) => {
    const place = PLACES.get(column.csv);
    return 'states' in column || place === undefined ? [] : [{ place, read: column.read }];
  });
  return (line, row) => {
    for (const { place, read } of placed) {
      const value = read(row);
      if (value !== undefined) line[place] = String(Math.round(value));
    }
  };
}

const FRONTEND_NUMBERS = numbersOf(FRONTEND_COLUMNS);
const BACKEND_NUMBERS = numbersOf(BACKEND_COLUMNS);
const SERVER_NUMBERS = numbersOf(SERVER_COLUMNS);

/** RFC 4180 section 2; line breaks would break the readers that split by lines. */
function quoted(text: string): string {
  const flat = text.replace(/[\r\n]+/g, ' ');
  return /[",]/.test(flat) ? `"${flat.replaceAll('"', '""')}"` : flat;
}
