import { once } from 'node:events';
import type { Agent as HttpAgent, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { DatacenterConfig } from '../../config/runtime/registry.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import { http } from '../../core/http.ts';

/** Requests under way to one datacenter at once; blocking queries are among them. */
const MAX_IN_FLIGHT = 1_000;
const MAX_IDLE_CONNECTIONS = 16;
/** Bytes of an answer. */
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** Whoever reads this header asks no further datacenter: requests cannot go round in circles. */
export const FORWARDED_HEADER = 'x-vane-forwarded-from';

/** One request to another datacenter. */
export interface Asked {
  readonly method: string;
  /** From `/v1/` on, with its query, all encoded. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Until the answer is there in full, ms. */
  readonly within: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Said {
  readonly status: number;
  /** By name in lower case, the last of each. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * The HTTP API of another datacenter's registry. Connections of reads are kept for the next; a write has one of its own,
 * so that it is never sent twice.
 */
export class Upstream {
  readonly #config: DatacenterConfig;
  readonly #clock: Clock;
  readonly #from: string;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #closing = new AbortController();
  #inFlight = 0;

  /** @param from the datacenter of this node */
  constructor(config: DatacenterConfig, from: string, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#from = from;
    const pool = { keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS, timeout: 30_000 };
    this.#agent = isSecure(config) ? new HttpsAgent(pool) : new http.Agent(pool);
  }

  /**
   * Any status is an answer. Rejects with CONNECT_FAILED, UPSTREAM_TIMEOUT or UPSTREAM_PROTOCOL where there is none, with
   * QUEUE_FULL when too much is being asked already, with STOPPING after {@link close}, and with the signal's reason.
   */
  async ask(asked: Asked): Promise<Said> {
    if (this.#inFlight >= MAX_IN_FLIGHT) throw this.#failure('QUEUE_FULL', 'is asked too much at once');
    this.#inFlight++;
    try {
      return await this.#exchange(asked, asked.method === 'GET' ? this.#agent : undefined);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      // It was closed while it was idle: nothing has been wrong yet.
      return await this.#exchange(asked, undefined);
    } finally {
      this.#inFlight--;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  async #exchange(asked: Asked, agent: HttpAgent | HttpsAgent | undefined): Promise<Said> {
    const { method, target, within, body, signal } = asked;
    const late = new AbortController();
    const cancel = this.#clock.after(within, () => late.abort());
    const ends = [late.signal, this.#closing.signal, ...(signal ? [signal] : [])];
    const { url, ca, token } = this.#config;
    const request = (isSecure(this.#config) ? httpsRequest : http.request)({
      ...placeOf(url),
      method,
      // As it is: made into a URL it could become another path than the one that was allowed.
      path: target,
      headers: {
        ...asked.headers,
        [FORWARDED_HEADER]: this.#from,
        ...(token === undefined ? {} : { 'X-Consul-Token': token }),
        ...(body === undefined ? {} : { 'Content-Length': body.length }),
      },
      agent: agent ?? false,
      signal: AbortSignal.any(ends),
      ...(ca === undefined ? {} : { ca }),
    });
    // Also those that come after the answer has begun, which then ends early.
    request.on('error', () => {});
    try {
      const answered = once(request, 'response');
      request.end(body);
      const [answer]: IncomingMessage[] = await answered;
      if (!answer) throw this.#failure('UPSTREAM_PROTOCOL', 'does not answer');
      return { status: answer.statusCode ?? 0, headers: headersOf(answer), body: await this.#bodyOf(answer) };
    } catch (error) {
      request.destroy();
      signal?.throwIfAborted();
      if (this.#closing.signal.aborted) throw this.#failure('STOPPING', 'is no longer asked');
      if (late.signal.aborted) {
        throw this.#failure('UPSTREAM_TIMEOUT', `has not answered within ${Math.round(within)} ms`);
      }
      if (error instanceof VaneError) throw error;
      if (request.reusedSocket && isReset(error)) throw new StaleConnection();
      throw this.#failure('CONNECT_FAILED', `cannot be asked: ${messageOf(error)}`, error);
    } finally {
      cancel();
    }
  }

  async #bodyOf(answer: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer) {
      size += chunk.length;
      if (size > LARGEST_ANSWER) {
        throw this.#failure('UPSTREAM_PROTOCOL', `answers with more than ${LARGEST_ANSWER} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  #failure(code: VaneError['code'], what: string, cause?: unknown): VaneError {
    const { name, url } = this.#config;
    return new VaneError(code, `datacenter ${name} (${url}) ${what}`, { cause });
  }
}

/** A kept connection that the other side has closed meanwhile. */
class StaleConnection extends Error {}

function isSecure({ url }: DatacenterConfig): boolean {
  return url.startsWith('https:');
}

function placeOf(url: string): { readonly host: string; readonly port: string } {
  const { protocol, hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port || (protocol === 'https:' ? '443' : '80') };
}

function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
