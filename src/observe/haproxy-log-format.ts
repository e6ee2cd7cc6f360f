import type { AccessEntry, HttpAccessEntry, RequestLine, TcpAccessEntry } from '../proxy/access-entry.ts';

/**
 * One line of HAProxy's access log, without the syslog prefix and the line feed (configuration manual,
 * section 8.2.2 for tcp, 8.2.3 for http). There are no captures, so the cookie fields are `-`, their flags are
 * `--`, and the two fields of captured headers are left out, as HAProxy does where none is declared.
 */
export function haproxyLine(entry: AccessEntry): string {
  return entry.mode === 'http' ? httpLine(entry) : tcpLine(entry);
}

/** `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r` */
function httpLine(entry: HttpAccessEntry): string {
  const { request, queue, connect, response, active } = entry.times;
  const times = `${request}/${queue}/${connect}/${response}/${active}`;
  const end = `- - ${entry.termination}-- ${load(entry)}`;
  return `${whence(entry)} ${times} ${entry.status} ${entry.bytesRead} ${end} "${requestLine(entry.request)}"`;
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
  const retried = `${redispatched ? '+' : ''}${retries}`;
  return `${process}/${frontend}/${backend}/${server}/${retried} ${queues.server}/${queues.backend}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `07/Feb/2026:14:05:23.123`, local time. */
function localDate(wall: number): string {
  const date = new Date(wall);
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day}:${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function requestLine(request: RequestLine | undefined): string {
  if (!request) return '<BADREQ>';
  return escapeBytes(`${request.method} ${request.target} HTTP/${request.httpVersion}`, UNSAFE_IN_QUOTES);
}

/** Section 8.6: everything outside ASCII 32 to 126, the quote and the escape sign itself. */
const UNSAFE_IN_QUOTES = /[^ !$-~]/gu;
/** Names stand between spaces; HAProxy's own cannot have one, those of a registry can. */
const UNSAFE_IN_NAME = /[^!$-~]/gu;

/** A head's characters are the octets that came. */
function escapeBytes(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, (char) => {
    const code = char.charCodeAt(0);
    return char.length === 1 && code <= 0xff ? hex(code) : [...Buffer.from(char)].map(hex).join('');
  });
}

/** Names are Unicode. */
function escapeName(name: string): string {
  return name.replace(UNSAFE_IN_NAME, (char) => [...Buffer.from(char)].map(hex).join(''));
}

function hex(octet: number): string {
  return `#${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}
