import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answer } from './answer.ts';
import { compress, jsonText, SharedJson } from './json-text.ts';

/** Shorter bodies are not worth compressing (Consul's gzip handler: one packet). */
const COMPRESS_FROM = 1_400;

/** What Consul says on every endpoint it knows. */
function endpointHeaders({ defaultPolicy }: Wire): Record<string, string> {
  return { Vary: 'Accept-Encoding', 'X-Consul-Default-Acl-Policy': defaultPolicy };
}

/** How an answer is put on the wire, besides its content. */
export interface Wire {
  /** False for unknown paths and redirects, which carry none of Consul's headers. */
  readonly endpoint: boolean;
  readonly defaultPolicy: 'allow' | 'deny';
  /** Indent JSON by four spaces. */
  readonly pretty: boolean;
  /** End the connection after the answer. */
  readonly close: boolean;
}

/**
 * Sends an answer past fastify's reply, which writes header names in lower case: Consul's clients see Go's
 * spelling.
 */
export async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  wire: Wire,
): Promise<void> {
  reply.hijack();
  const headers: Record<string, string> = wire.endpoint ? endpointHeaders(wire) : {};
  for (const [name, value] of Object.entries(answer.headers)) headers[name] = asHeaderBytes(value);
  if (wire.close) headers.Connection = 'close';

  let body = bodyOf(answer, wire.pretty);
  let length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  if (answer.content)
    headers['Content-Type'] = 'json' in answer.content ? 'application/json' : answer.content.type;
  if (wire.endpoint && length >= COMPRESS_FROM && acceptsGzip(request.headers['accept-encoding'])) {
    const shared = answer.content && 'json' in answer.content ? answer.content.json : undefined;
    body = await (shared instanceof SharedJson ? shared.compressed() : compress(body));
    length = body.length;
    headers['Content-Encoding'] = 'gzip';
  }
  headers['Content-Length'] = String(length);

  if (reply.raw.destroyed) return;
  reply.raw.writeHead(answer.status, headers);
  // An empty chunk would be one more thing to write.
  if (length === 0) reply.raw.end();
  else if (typeof body !== 'string') reply.raw.end(body);
  // Where each character is one byte, Node needs no memory besides to write it.
  else reply.raw.end(body, body.length === length ? 'latin1' : 'utf8');
}

/** Texts stay texts: as buffers, thousands of answers would be memory that goes with the next full collection only. */
function bodyOf(answer: Answer, pretty: boolean): string | Uint8Array {
  if (!answer.content) return '';
  if ('text' in answer.content) return answer.content.text;
  if ('bytes' in answer.content) return answer.content.bytes;
  const { json } = answer.content;
  return json instanceof SharedJson ? json.body() : jsonText(json, pretty);
}

/** Go writes UTF-8 into headers as it is; Node takes one character for one byte. */
function asHeaderBytes(value: string): string {
  return Buffer.from(value).toString('latin1');
}

/** RFC 9110 section 12.5.3, as far as it concerns gzip. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  for (const coding of String(header ?? '').split(',')) {
    const [name, ...parameters] = coding.split(';').map((part) => part.trim().toLowerCase());
    if (name === 'gzip') return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  }
  return false;
}
