import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { HttpRequest } from './scenario.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** One answer as it came; `ms` is the time it took. */
export interface HttpAnswer {
  readonly status: number;
  readonly header: IncomingHttpHeaders;
  readonly type: string | null;
  readonly text: string;
  /** Bytes of the body, once it is unpacked. */
  readonly size: number;
  /** Only of an answer that says it is JSON, and is. */
  readonly body?: unknown;
  readonly ms: number;
}

/** Why there was no answer. */
export interface NoAnswer {
  readonly error: string;
  readonly ms: number;
}

/** A request under way. */
export interface Pending {
  /** Never rejects. */
  readonly answer: Promise<HttpAnswer | NoAnswer>;
  abort(): void;
}

/** One exchange over a connection of its own; the path goes out exactly as it is written. */
export function startRequest(target: Endpoint, spec: HttpRequest, timeoutMs = 10_000): Pending {
  const started = performance.now();
  const payload = payloadOf(spec);
  const headers: Record<string, string | number> = { ...spec.headers };
  if (payload && headers['Transfer-Encoding'] === undefined) headers['Content-Length'] = payload.length;
  const { method = 'GET', path } = spec;
  const sent = request({ ...target, method, path, headers, agent: false });
  const answer = new Promise<Omit<HttpAnswer, 'ms'> | { error: string }>((resolve) => {
    const limit = spec.timeoutMs ?? timeoutMs;
    const timer = setTimeout(() => {
      resolve({ error: 'timeout' });
      sent.destroy();
    }, limit);
    sent.once('close', () => clearTimeout(timer));
    sent.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    sent.on('response', (response) => {
      read(response).then(resolve, (error: NodeJS.ErrnoException) =>
        resolve({ error: error.code ?? error.message }),
      );
    });
  });
  send(sent, payload);
  return {
    answer: answer.then((result) => ({ ...result, ms: performance.now() - started })),
    abort: () => sent.destroy(),
  };
}

function send(sent: ClientRequest, payload: Buffer | undefined): void {
  if (payload) sent.end(payload);
  else sent.end();
}

function payloadOf(spec: HttpRequest): Buffer | undefined {
  if (spec.bodyBase64 !== undefined) return Buffer.from(spec.bodyBase64, 'base64');
  if (spec.bodyRepeat) return Buffer.from(spec.bodyRepeat.text.repeat(spec.bodyRepeat.count));
  if (spec.rawBody !== undefined) return Buffer.from(spec.rawBody);
  return spec.body === undefined ? undefined : Buffer.from(JSON.stringify(spec.body));
}

async function read(response: IncomingMessage): Promise<Omit<HttpAnswer, 'ms'>> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const packed = Buffer.concat(chunks);
  const bytes = response.headers['content-encoding'] === 'gzip' ? gunzipSync(packed) : packed;
  const text = bytes.toString();
  const type = response.headers['content-type'] ?? null;
  const answer = {
    status: response.statusCode ?? 0,
    header: response.headers,
    type,
    text,
    size: bytes.length,
  };
  const body = type !== null && /^application\/json\b/i.test(type) ? parsedJson(text) : undefined;
  return body === undefined ? answer : { ...answer, body };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is not JSON is compared as text.
    return undefined;
  }
}
