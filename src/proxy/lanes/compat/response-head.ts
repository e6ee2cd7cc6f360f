import { connectionWords } from '../../request/connection-words.ts';
import type { Refused } from '../../request/strict.ts';

/** What a server said first, as the client gets it. */
export interface ResponseHead {
  /** End-to-end fields and Content-Length, in their order and case. Flat: name, then value. */
  readonly headers: string[];
  /** No body follows, whatever the fields say. */
  readonly bodyless: boolean;
  /** Its end is known without closing the connection. */
  readonly framed: boolean;
  /** A body is announced that must not be there: what comes next on the connection is anyone's guess. */
  readonly contradictory: boolean;
  /** Content-Length as it came. */
  readonly length: string | undefined;
  /** The body comes in chunks, unless there is none. */
  readonly chunked: boolean;
}

interface RawResponse {
  readonly status: number;
  readonly httpVersion: string;
  /** Flat: name, then value. */
  readonly headers: readonly string[];
}

/** Fields about the connection to the server or the message on it (RFC 9110, section 7.6.1): never passed on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Lengths of these names: most others are told from them without a copy in lower case. */
const HOP_BY_HOP_LENGTHS = new Uint8Array(256);
for (const { length } of HOP_BY_HOP) HOP_BY_HOP_LENGTHS[length] = 1;

/** What a server cannot have removed by naming it in Connection: framing, meaning and protection of the answer. */
const PROTECTED: ReadonlySet<string> = new Set([
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-security-policy',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'set-cookie',
  'strict-transport-security',
  'vary',
  'www-authenticate',
]);

/** What a trailer section must not say: it comes too late to be heeded (RFC 9110, section 6.5.1). */
const NO_TRAILER: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...PROTECTED, 'host', 'authorization']);

/**
 * Reads the head of a server's final answer to a request made with `method`. Refuses what two readers could frame
 * differently, whatever the parser before it let through (RFC 9112, section 6).
 */
export function readResponseHead(method: string, response: RawResponse): ResponseHead | Refused {
  const { status, httpVersion, headers } = response;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { refused: `HTTP version ${httpVersion}` };
  if (status < 200) return { refused: `status ${status} that nobody asked for` };
  const survey = surveyOf(headers);
  const { lengths, codings, length, coding } = survey;
  if (lengths > 1) return { refused: 'more than one Content-Length' };
  if (coding !== undefined) {
    if (lengths > 0) return { refused: 'both Content-Length and Transfer-Encoding' };
    if (codings > 1 || coding.toLowerCase() !== 'chunked') {
      return { refused: 'Transfer-Encoding is not chunked' };
    }
    if (httpVersion === '1.0') return { refused: 'Transfer-Encoding before HTTP/1.1' };
  }
  const bodyless = method === 'HEAD' || status === 204 || status === 304;
  const announced = coding !== undefined || (length ?? '0') !== '0';
  return {
    headers: endToEnd(headers, survey, status === 204),
    bodyless,
    framed: bodyless || length !== undefined,
    contradictory: status === 204 && announced,
    length,
    chunked: coding !== undefined,
  };
}

/** The fields of an interim answer (1xx) that go on to the client: it has neither body nor length. */
export function interimHeaders(headers: readonly string[]): string[] {
  return endToEnd(headers, surveyOf(headers), true);
}

/** The trailer fields that may go on to the client. */
export function endToEndTrailers(trailers: readonly string[]): [name: string, value: string][] {
  const kept: [string, string][] = [];
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = trailers[i] ?? '';
    if (!NO_TRAILER.has(name.toLowerCase())) kept.push([name, trailers[i + 1] ?? '']);
  }
  return kept;
}

/** The fields of a head that decide about the others. */
interface Survey {
  /** How often there is one, and the first. */
  lengths: number;
  length: string | undefined;
  codings: number;
  coding: string | undefined;
  /** What Connection lists beyond its usual words; in lower case. */
  listed: Set<string> | undefined;
  hasDisposition: boolean;
}

function surveyOf(headers: readonly string[]): Survey {
  const survey: Survey = {
    lengths: 0,
    length: undefined,
    codings: 0,
    coding: undefined,
    listed: undefined,
    hasDisposition: false,
  };
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    // Most fields are told by their length alone.
    switch (name.length) {
      case 10:
        if (name.toLowerCase() === 'connection') survey.listed = listedIn(value, survey.listed);
        break;
      case 14:
        if (name.toLowerCase() === 'content-length' && survey.lengths++ === 0) survey.length = value;
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding' && survey.codings++ === 0) survey.coding = value;
        break;
      case 19:
        survey.hasDisposition ||= name.toLowerCase() === 'content-disposition';
        break;
    }
  }
  return survey;
}

function listedIn(value: string, before: Set<string> | undefined): Set<string> | undefined {
  let listed = before;
  for (const option of connectionWords(value)) {
    // No field has this name (RFC 9110, section 18.4).
    if (option === 'close' || HOP_BY_HOP.has(option) || PROTECTED.has(option)) continue;
    listed ??= new Set();
    listed.add(option);
  }
  return listed;
}

function endToEnd(
  headers: readonly string[],
  { listed, hasDisposition }: Survey,
  lengthless: boolean,
): string[] {
  const kept: string[] = [];
  const last: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const { length } = name;
    if (HOP_BY_HOP_LENGTHS[length] === 1 && HOP_BY_HOP.has(name.toLowerCase())) continue;
    if (listed?.has(name.toLowerCase())) continue;
    if (length === 14 && (lengthless || hasDisposition) && name.toLowerCase() === 'content-length') {
      // Node recodes a Content-Disposition that comes after a Content-Length, and so spoils its octets.
      if (!lengthless) last.push(name, value);
    } else kept.push(name, value);
  }
  return last.length === 0 ? kept : kept.concat(last);
}
