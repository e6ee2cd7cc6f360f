import type {
  BackendExplanation,
  DepartedExplanation,
  NameExplanation,
  ServerExplanation,
} from '../control/explain.ts';
import type { HistoryEvent } from '../control/history.ts';

/** Puts emphasis on what is bad or good, where the terminal can. */
export type Paint = (kind: 'bad' | 'good' | 'quiet', text: string) => string;

const EVENTS_SHOWN = 12;
const DEPARTED_SHOWN = 8;

/** For somebody who is in a hurry: what is wrong comes first, and every reason with it. */
export function backendText(told: BackendExplanation, paint: Paint): string {
  const all = printable(told);
  const out = all.servers.filter(({ work }) => work !== 'open');
  const open = all.servers.filter(({ work }) => work === 'open');
  const width = Math.max(0, ...all.servers.map(({ server }) => server.length));
  return joined([
    headline(all, open.length, paint),
    section('out', out, (server) => summary(server, width, all.at, paint)),
    section('in', open, (server) => summary(server, width, all.at, paint)),
    section('names', all.names, (name) => nameLines(name, all.at, paint)),
    section('gone lately', all.departed.slice(0, DEPARTED_SHOWN), (gone) => goneLines(gone, all.at)),
    section('what happened to the backend', all.events.slice(-EVENTS_SHOWN), (event) => [
      eventLine(event, all.at),
    ]),
  ]);
}

/** All there is to say about one server. */
export function serverText(told: BackendExplanation, paint: Paint): string {
  const all = printable(told);
  return joined([
    ...all.servers.map((server) => wholeServer(all, server, paint)),
    ...all.departed.map((gone) => wholeDeparted(all, gone, paint)),
  ]);
}

/** What registries, checks and clients have said may hold anything: on a terminal it is to be text, on its line. */
function printable(told: BackendExplanation): BackendExplanation {
  return JSON.parse(JSON.stringify(told), (_, value) =>
    typeof value === 'string' ? value.replace(/\p{C}+/gu, ' ') : value,
  );
}

function headline(
  { backend, servers, up, since, panic, at }: BackendExplanation,
  open: number,
  paint: Paint,
) {
  const count = `${open} of ${servers.length} servers take new work`;
  const state = up
    ? paint(open === servers.length ? 'good' : 'bad', count)
    : paint('bad', `DOWN, no server takes new work, since ${moment(since, at)}`);
  const panics = panic.active
    ? [
        paint(
          'bad',
          `  PANIC since ${moment(panic.since, at)}: fewer than ${panic.threshold}% are up, so all are used`,
        ),
      ]
    : [];
  return [`backend ${backend}: ${state}`, ...panics];
}

function summary(server: ServerExplanation, width: number, at: number, paint: Paint): readonly string[] {
  const { server: name, address, port, work, decided, since, discovery, drainEnds, health } = server;
  const where = `${name.padEnd(width)}  ${addressOf(address, port, name)}`.trimEnd();
  const word = work === 'open' ? 'in' : work === 'draining' ? 'draining' : 'out';
  const head = `  ${where}  ${paint(work === 'open' ? 'quiet' : 'bad', word)} since ${moment(since, at)}`;
  const lines = [head, `      ${decided.source}: ${decided.why}`];
  if (work === 'open' && !health.up) lines.push(`      health: down: ${health.why}`);
  if (discovery.held) lines.push('      guard: no answer has it any more, max-removal holds it');
  if (drainEnds !== undefined) lines.push(`      finishes what it has until ${moment(drainEnds, at)}`);
  // Of a server that is in and has nothing to it, a line is enough.
  return work === 'open' && lines.length === 2 ? [`${head}, ${decided.source}: ${decided.why}`] : lines;
}

function wholeServer(all: BackendExplanation, server: ServerExplanation, paint: Paint): readonly string[] {
  const { at, backend } = all;
  const { server: name, address, port, work, decided, since, drainEnds, events } = server;
  const { discovery, health, operator, weight, backup } = server;
  const verdict = {
    open: paint('good', 'IN: it takes new work'),
    draining: paint('bad', 'OUT: it finishes what it has'),
    closed: paint('bad', 'OUT: it gets nothing'),
  }[work];
  const check = health.check
    ? `${health.check.position}, last check ${health.check.lastCode}, ${health.check.row} in a row alike`
    : 'not checked by Vane';
  const kept = discovery.held ? '; no answer has it any more, max-removal holds it' : '';
  const found = discovery.present ? 'present' : 'not present';
  return [
    `server ${backend}/${name}  ${addressOf(address, port, name)}`.trimEnd(),
    `  ${verdict}, since ${moment(since, at)}`,
    `  because of ${decided.source}: ${decided.why}`,
    ...(drainEnds === undefined ? [] : [`  until ${moment(drainEnds, at)}, then it is cut`]),
    ...(weight === 0 ? ['  its weight is 0: it gets no new work whatever its state'] : []),
    ...(backup ? ['  it is a backup: it gets work only when no other server can'] : []),
    '',
    `  discovery  ${found}, since ${moment(discovery.since, at)}: ${discovery.why}${kept}`,
    `  health     ${health.up ? 'up' : 'down'}, since ${moment(health.since, at)}: ${health.why}`,
    `             ${check}`,
    `  operator   ${operator.mode}${operator.why && `, since ${moment(operator.since, at)}: ${operator.why}`}`,
    ...panicLines(all),
    '',
    '  what happened, the last at the end',
    ...events.map((event) => `  ${eventLine(event, at)}`),
  ];
}

function panicLines({ panic, at }: BackendExplanation): readonly string[] {
  return panic.active
    ? [`  panic      since ${moment(panic.since, at)}: health has no say, all are used`]
    : [];
}

function wholeDeparted(all: BackendExplanation, gone: DepartedExplanation, paint: Paint): readonly string[] {
  return [
    `server ${all.backend}/${gone.server}  ${gone.id}`,
    `  ${paint('bad', 'GONE: it is not a server of this backend any more')}`,
    '',
    '  what happened, the last at the end',
    ...gone.events.map((event) => `  ${eventLine(event, all.at)}`),
  ];
}

function goneLines({ server, id, events }: DepartedExplanation, at: number): readonly string[] {
  // What took it away, rather than that it had ended by then.
  const cause = events.findLast(({ source }) => source !== 'drain') ?? events.at(-1);
  const lines = [`  ${server}  ${id === server ? '' : id}`.trimEnd()];
  return cause ? [...lines, `    ${eventLine(cause, at)}`] : lines;
}

function nameLines(name: NameExplanation, at: number, paint: Paint): readonly string[] {
  const { domain, resolvers, lastAnswer, found, error, stale, hint, kept, until, held, excluded } = name;
  const answer =
    lastAnswer === undefined
      ? paint('bad', 'not resolved since the start')
      : `${found} found, last answer ${moment(lastAnswer, at)}`;
  const lines = [`  ${domain} (${resolvers}): ${answer}`];
  if (error !== undefined) lines.push(`      ${paint('bad', 'look-ups fail')}: ${error}`);
  if (stale) lines.push(`      ${paint('bad', 'stale')}: its servers may not be right any more`);
  if (hint)
    lines.push('      servers known from before the start are used meanwhile, those that accept connections');
  const time = until === undefined ? '' : ` until ${moment(until, at)}`;
  if (kept) lines.push(`      guard on-empty: the answer has no servers, the last ones are kept${time}`);
  if (held.length > 0)
    lines.push(`      guard max-removal: holds ${held.join(', ')}; more may go ${moment(until ?? at, at)}`);
  for (const one of excluded) lines.push(`      left out: ${one.name} ${one.address}: ${one.why}`);
  return lines;
}

function eventLine({ at, source, says, why, to }: HistoryEvent, now: number): string {
  const came = to === undefined ? '' : ` -> ${to}`;
  return `  ${clockTime(at, now)}  ${source.padEnd(9)}  ${says}${came}${why && `: ${why}`}`;
}

/** `03:55:31 (4 min 12 s ago)`. */
function moment(at: number, now: number): string {
  const ms = now - at;
  return `${clockTime(at, now)} (${ms < 0 ? `in ${span(-ms)}` : `${span(ms)} ago`})`;
}

/** On the wall clock here; with the date, when that was another day. */
function clockTime(at: number, now: number): string {
  const [date, time] = localTime(at);
  return date === localTime(now)[0] ? time : `${date} ${time}`;
}

function localTime(ms: number): readonly [date: string, time: string] {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  return [
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`,
  ];
}

function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

function addressOf(address: string, port: number, name: string): string {
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return where === name ? '' : where;
}

function section<T>(
  title: string,
  items: readonly T[],
  lines: (item: T) => readonly string[],
): readonly string[] {
  return items.length === 0 ? [] : [title, ...items.flatMap(lines)];
}

function joined(parts: readonly (readonly string[])[]): string {
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}
