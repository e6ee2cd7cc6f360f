import type { IncomingHttpHeaders } from 'node:http';
import type { OperatorMode } from '../../balance/state.ts';
import type { WeightWord } from '../../balance/weights.ts';
import { isLoopback } from '../../config/address.ts';
import type { BackendExplanation } from '../../control/explain.ts';
import { messageOf } from '../../core/errors.ts';
import { admit } from '../consul/admission.ts';
import { Refusal } from '../consul/refusal.ts';

/** What is asked of the running process about its servers, and done with them. */
export interface Operations {
  readonly backends: () => readonly string[];
  /** Undefined: there is no such backend. */
  readonly explain: (backend: string, server: string | undefined) => BackendExplanation | undefined;
  /** How many servers of that name or address it was done with; undefined: there is no such backend. */
  readonly operate: (
    backend: string,
    server: string,
    order: OperatorMode | WeightWord,
    why: string,
  ) => number | undefined;
  /** The same on every node that shares the registry. Rejects with a VaneError. */
  readonly operateEverywhere: (
    backend: string,
    server: string,
    mode: OperatorMode,
    why: string,
  ) => Promise<number | undefined>;
}

export interface OperationsAnswer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const MODES = ['ready', 'drain', 'maint'] as const;
const HIGHEST_WEIGHT = 256;
/** Of what is told of operators and their reasons, characters. */
const LONGEST_BY = 64;
const LONGEST_REASON = 200;

/** `GET /explain?backend=NAME`, and `&server=` one by name or address. */
export function explainAnswer(operations: Operations, query: URLSearchParams): OperationsAnswer {
  const backend = query.get('backend');
  const server = query.get('server') ?? undefined;
  if (backend === null) return said(400, `Which backend? ?backend=${known(operations)}`);
  const explanation = operations.explain(backend, server);
  if (!explanation) return noBackend(operations, backend);
  if (server !== undefined && explanation.servers.length + explanation.departed.length === 0) {
    return said(404, `backend ${plain(backend)} has no server ${plain(server)}, and had none of late`);
  }
  return { status: 200, body: `${JSON.stringify(explanation)}\n`, type: 'application/json' };
}

/**
 * Who may operate: a program on this machine that says it sends JSON. Pages in a browser cannot say so without being
 * asked first whether they may, and nobody answers that.
 */
export function operateRefusal(
  headers: IncomingHttpHeaders,
  peer: string | undefined,
  bindHost: string,
): OperationsAnswer | undefined {
  try {
    admit('POST', headers, { bindHost, allowed: undefined });
  } catch (error) {
    if (error instanceof Refusal) return said(403, error.message);
    throw error;
  }
  if (!isLocal(peer)) return said(403, 'Servers are operated from this machine only');
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) {
    return said(415, 'Expected Content-Type: application/json');
  }
  return undefined;
}

/**
 * `POST /server?backend=NAME&server=NAME` with `{"state": "drain", "by": "alice", "reason": "deploy"}`, with
 * `"cluster": true` for all nodes, or with `{"weight": "50%"}`.
 */
export async function operateAnswer(
  operations: Operations,
  query: URLSearchParams,
  body: unknown,
  peer: string | undefined,
): Promise<OperationsAnswer> {
  const [backend, server] = [query.get('backend'), query.get('server')];
  if (backend === null || server === null) return said(400, 'Which server? ?backend=NAME&server=NAME');
  const { state, weight, by, reason, cluster = false } = isObject(body) ? body : {};
  const order = weight === undefined ? MODES.find((one) => one === state) : weightOf(weight);
  if (order === undefined) {
    const weights = `{"weight": …} with 0 to ${HIGHEST_WEIGHT}, or a percentage such as "50%"`;
    return said(400, `Expected {"state": …} with one of ${MODES.join(', ')}, or ${weights}`);
  }
  if (typeof cluster !== 'boolean' || (cluster && typeof order !== 'string')) {
    return said(400, 'Expected "cluster" to be true or false, and true only with "state"');
  }
  const told = typeof order === 'string' ? { state: order } : { weight };
  const who = callerOf(by, peer);
  const because = words(reason, LONGEST_REASON);
  const what = typeof order === 'string' ? order : `weight ${String(weight)}`;
  const why = `${what}${cluster ? ' on all nodes' : ''} by ${who}${because && `: ${because}`}`;
  let servers: number | undefined;
  if (cluster && typeof order === 'string') {
    try {
      servers = await operations.operateEverywhere(backend, server, order, why);
    } catch (error) {
      return said(503, `not taken by the registry: ${messageOf(error)}`);
    }
  } else servers = operations.operate(backend, server, order, why);
  if (servers === undefined) return noBackend(operations, backend);
  if (servers === 0) return said(404, `backend ${plain(backend)} has no server ${plain(server)}`);
  return { status: 200, body: `${JSON.stringify({ ...told, servers })}\n`, type: 'application/json' };
}

/** HAProxy's `set weight`: a number, or a percentage of the server's own. */
function weightOf(written: unknown): WeightWord | undefined {
  const [, digits, percent] = /^(\d{1,5})(%?)$/.exec(String(written)) ?? [];
  const number = Number(digits ?? Number.NaN);
  if (percent && number <= 100 * HIGHEST_WEIGHT) return { percent: number };
  return !percent && number <= HIGHEST_WEIGHT ? { weight: number } : undefined;
}

function noBackend(operations: Operations, backend: string): OperationsAnswer {
  return said(404, `no backend is called ${plain(backend)}; there are ${known(operations)}`);
}

function known({ backends }: Operations): string {
  return backends().join(', ') || 'none';
}

/** Whether a client is on this machine. */
export function isLocal(peer: string | undefined): boolean {
  return isLoopback((peer ?? '').replace(/^::ffff:/, ''));
}

/** Who operates, in words fit for a line: as they say, or where from. */
export function callerOf(by: unknown, peer: string | undefined): string {
  return words(by, LONGEST_BY) || `a client at ${peer ?? 'an unknown address'}`;
}

export function said(status: number, text: string): OperationsAnswer {
  return { status, body: `${text}\n` };
}

/** What a client has written, fit for a line. */
function words(value: unknown, longest: number): string {
  return typeof value === 'string' ? plain(value).slice(0, longest) : '';
}

function plain(text: string): string {
  return text.replace(/\p{C}+/gu, ' ').trim();
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
