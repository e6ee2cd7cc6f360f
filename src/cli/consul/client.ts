import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, systemClock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import { http } from '../../core/http.ts';
import { type Environment, type RegistryAddress, registryAddress } from './address.ts';
import type { Flags } from './flags.ts';

/** Until an answer is there in full, where nothing else is said, ms. */
const ANSWER_WITHIN = 30_000;
/** Without a byte in either direction, ms. */
const SILENCE = 30_000;
/** Bytes of an answer: the largest there can be are all keys with their values. */
const LARGEST_ANSWER = 256 * 1024 * 1024;

export interface Request {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** From `/v1/` on, with all that is not plain encoded already. */
  readonly path: string;
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Buffer | string;
  /** Until the answer is there in full, ms. */
  readonly within?: number;
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  /** Of `X-Consul-Index`; 0: there is none. */
  readonly index: number;
  readonly body: Buffer;
}

/**
 * Asks a registry over its HTTP API, Vane's or Consul's. Rejects with CONNECT_FAILED where nobody answers, and with
 * UPSTREAM_TIMEOUT and UPSTREAM_PROTOCOL where the answer is none.
 */
export class RegistryClient {
  readonly #address: RegistryAddress;
  readonly #clock: Clock;

  constructor(options: { readonly address: RegistryAddress; readonly clock?: Clock }) {
    this.#address = options.address;
    this.#clock = options.clock ?? systemClock;
  }

  /** As flags and, where they are silent, Consul's environment variables say. Throws REQUEST_INVALID. */
  static of(flags: Flags, env: Environment): RegistryClient {
    return new RegistryClient({ address: registryAddress(flags, env) });
  }

  /** Throws UPSTREAM_PROTOCOL for any status but 200, with what was said. */
  static requireOk({ status, body }: Pick<Reply, 'status' | 'body'>): void {
    if (status === 200) return;
    const words = body.toString('utf8', 0, LONGEST_COMPLAINT).trim();
    const said = words === '' ? '' : ` (${words})`;
    throw new VaneError('UPSTREAM_PROTOCOL', `Unexpected response code: ${status}${said}`);
  }

  /** Any status; the body is read to its end. */
  async send(asked: Request): Promise<Reply> {
    return this.#exchange(asked, async (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer) {
        size += chunk.length;
        if (size > LARGEST_ANSWER) throw this.#failure(`answers with more than ${LARGEST_ANSWER} bytes`);
        chunks.push(chunk);
      }
      return { status: answer.statusCode ?? 0, index: indexOf(answer), body: Buffer.concat(chunks) };
    });
  }

  /** Rejects with UPSTREAM_PROTOCOL for any status but 200. */
  async get(asked: Request): Promise<Reply> {
    const reply = await this.send(asked);
    RegistryClient.requireOk(reply);
    return reply;
  }

  /** The body in JSON, of a status of 200. */
  async json(asked: Request): Promise<unknown> {
    const { body } = await this.get(asked);
    return parseJson(body);
  }

  /** Hands the body of a 200 on as it comes; resolves to its index. */
  async download(path: string, take: (body: Readable) => Promise<void>): Promise<number> {
    return this.#exchange({ method: 'GET', path, within: Number.POSITIVE_INFINITY }, async (answer) => {
      if (answer.statusCode !== 200) RegistryClient.requireOk(await refusal(answer));
      await take(answer);
      return indexOf(answer);
    });
  }

  /** Sends a body of so many bytes as it comes. */
  async upload(path: string, body: Readable, size: number): Promise<void> {
    await this.#exchange(
      { method: 'PUT', path, within: Number.POSITIVE_INFINITY },
      async (answer) => RegistryClient.requireOk(await refusal(answer)),
      { body, size },
    );
  }

  async #exchange<T>(
    { method, path, query = {}, body, within = ANSWER_WITHIN, signal }: Request,
    read: (answer: IncomingMessage) => Promise<T>,
    stream?: { readonly body: Readable; readonly size: number },
  ): Promise<T> {
    const late = new AbortController();
    const cancel = Number.isFinite(within) ? this.#clock.after(within, () => late.abort()) : () => {};
    const stopped = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    let sent: ClientRequest | undefined;
    try {
      const { options, secure, token, datacenter: dc } = this.#address;
      const asking = (secure ? httpsRequest : http.request)({
        ...options,
        method,
        path: path + queryOf({ ...query, dc }),
        headers: {
          ...(options.socketPath === undefined ? {} : { Host: 'localhost' }),
          ...(token === undefined ? {} : { 'X-Consul-Token': token }),
          ...(stream ? { 'Content-Length': stream.size } : {}),
        },
        signal: stopped,
        agent: false,
        // A silence that is asked for is not one that is too long.
        timeout: Math.max(SILENCE, Number.isFinite(within) ? within : 0),
      });
      sent = asking;
      asking.on('timeout', () => asking.destroy(this.#failure('says nothing any more')));
      // Also those that come after the answer has begun, which then ends early.
      asking.on('error', () => {});
      const answered = once(asking, 'response');
      if (stream) {
        // An answer may come before all is sent: a refusal. It tells more than the broken pipe does.
        await Promise.race([pipeline(stream.body, asking), answered]).catch(() => answered);
      } else asking.end(body);
      const [answer]: IncomingMessage[] = await answered;
      if (!answer) throw this.#failure('does not answer');
      return await read(answer);
    } catch (error) {
      if (late.signal.aborted) {
        throw new VaneError('UPSTREAM_TIMEOUT', `${this.#address.text} has not answered within ${within} ms`);
      }
      if (signal?.aborted) throw signal.reason;
      if (error instanceof VaneError) throw error;
      throw new VaneError('CONNECT_FAILED', `${this.#address.text} cannot be asked: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      cancel();
      // An answer may be read only in part, and a body be sent only in part.
      sent?.destroy();
    }
  }

  #failure(what: string): VaneError {
    return new VaneError('UPSTREAM_PROTOCOL', `${this.#address.text} ${what}`);
  }
}

function queryOf(query: NonNullable<Request['query']>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

function indexOf({ headers }: IncomingMessage): number {
  const index = Number(headers['x-consul-index']);
  return Number.isSafeInteger(index) && index > 0 ? index : 0;
}

const LONGEST_COMPLAINT = 4_096;

/** Only as much of the body as is told. */
async function refusal(answer: IncomingMessage): Promise<Pick<Reply, 'status' | 'body'>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= LONGEST_COMPLAINT) break;
  }
  return { status: answer.statusCode ?? 0, body: Buffer.concat(chunks) };
}

/** Of a registry's answer. Throws UPSTREAM_PROTOCOL. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw new VaneError('UPSTREAM_PROTOCOL', 'the answer is no JSON: is it a registry?', { cause: error });
  }
}
