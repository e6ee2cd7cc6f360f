import type { AccessEntry, HttpAccessEntry, RequestLine, TcpAccessEntry } from '../proxy/access-entry.ts';

/**
 * One line of HAProxy's access log, without the syslog prefix and the line feed (configuration manual,
 * section 8.2.2 for tcp, 8.2.3 for http). There are no captures, so the cookie fields are `-`, and the two fields of captured headers are left out, as HAProxy does where none is declared.
 */
export function haproxyLine(entry: AccessEntry): string {
  return entry.mode === 'http' ? httpLine(entry) : tcpLine(entry);
}

/** `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r` */
function httpLine(entry: HttpAccessEntry): string {
  const { times, request } = entry;
  return (
    `${whence(entry)} ${times.request}/${times.queue}/${times.connect}/${times.response}/${times.active} ` +
    `${entry.status} ${entry.bytesRead} - - ${entry.termination}${entry.cookies ?? '--'} ${load(entry)} "${requestLine(request)}"`
  );
}

/** `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq` */
function tcpLine(entry: TcpAccessEntry): string {
  const { queue, connect, total } = entry.times;
  const times = `${queue}/${connect}/${total}`;
  return `${whence(entry)} ${times} ${entry.bytesRead} ${entry.termination} ${load(entry)}`;
}

function whence({ client, at, frontend, backend, server }: AccessEntry): string {
  const path = `${escapeName(frontend)} ${escapeName(backend)}/${escapeName(server)}`;
  return `${client.address}:${client.port} [${localDate(at)}] ${path}`;
}

function load({ connections, redispatched, retries, queues }: AccessEntry): string {
  const { process, frontend, backend, server } = connections;
  const sign = redispatched ? '+' : '';
  return `${process}/${frontend}/${backend}/${server}/${sign}${retries} ${queues.server}/${queues.backend}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The last second written: lines come many to a second, and a date is the dearest part of them. */
let writtenSecond = Number.NaN;
let writtenText = '';

/** `07/Feb/2026:14:05:23.123`, local time. */
function localDate(wall: number): string {
  const second = Math.floor(wall / 1_000);
  if (second !== writtenSecond) {
    writtenSecond = second;
    writtenText = localSecond(new Date(second * 1_000));
  }
  const ms = Math.floor(wall) - second * 1_000;
  if (ms >= 100) return `${writtenText}.${ms}`;
  return ms >= 10 ? `${writtenText}.0${ms}` : `${writtenText}.00${ms}`;
}

function localSecond(date: Date): string {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function requestLine(request: RequestLine | undefined): string {
  if (!request) return '<BADREQ>';
  const line = `${request.method} ${request.target} HTTP/${request.httpVersion}`;
  return SAFE_IN_QUOTES.test(line) ? line : escapeBytes(line);
}

/** Section 8.6: everything outside ASCII 32 to 126, the quote and the escape sign itself. */
const UNSAFE_IN_QUOTES = /[^ !$-~]/gu;
const SAFE_IN_QUOTES = /^[ !$-~]*$/;
/** Names stand between spaces; HAProxy's own cannot have one, those of a registry can. */
const UNSAFE_IN_NAME = /[^!$-~]/gu;
const SAFE_IN_NAME = /^[!$-~]*$/;

/** A head's characters are the octets that came. */
function escapeBytes(text: string): string {
  return text.replace(UNSAFE_IN_QUOTES, (char) => {
    const code = char.charCodeAt(0);
    return char.length === 1 && code <= 0xff ? hex(code) : [...Buffer.from(char)].map(hex).join('');
  });
}

/** Names are Unicode. */
function escapeName(name: string): string {
  if (SAFE_IN_NAME.test(name)) return name;
  return name.replace(UNSAFE_IN_NAME, (char) => [...Buffer.from(char)].map(hex).join(''));
}

function hex(octet: number): string {
  return `#${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}
