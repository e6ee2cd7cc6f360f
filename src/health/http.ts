import type { CheckKind } from '../registry/model.ts';
import { type ExchangeResult, exchange } from './http-exchange.ts';
import { firstHop, type Hop, isLinkLocal, nextHop, requestOf } from './http-hop.ts';
import { dialWords, isSystemError, systemWords } from './network-errors.ts';
import type { Probe, ProbeResult } from './probe.ts';

type HttpKind = Extract<CheckKind, { kind: 'http' }>;
type Answered = Extract<ExchangeResult, { ok: true }>;
type Failed = Extract<ExchangeResult, { ok: false }>;

const MOST_REDIRECTS = 10;
/** A body without end is hung up on here: only its tail is ever shown. */
const MOST_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Consul's HTTP check: 2xx passes, 429 warns, everything else is critical. Redirects are followed, but not to
 * link-local addresses: clouds hand out credentials there, and whoever answers a check must not be able to
 * have them fetched and shown in its output.
 */
export class HttpProbe implements Probe {
  readonly #kind: HttpKind;
  readonly #outputMaxSize: number;

  /** @param outputMaxSize bytes of a body that are shown */
  constructor(kind: HttpKind, outputMaxSize: number) {
    this.#kind = kind;
    this.#outputMaxSize = outputMaxSize;
  }

  run(signal: AbortSignal): Promise<ProbeResult> {
    return runHttp(this.#kind, this.#outputMaxSize, signal);
  }
}

async function runHttp(kind: HttpKind, outputMaxSize: number, signal: AbortSignal): Promise<ProbeResult> {
  const first = firstHop(kind);
  if (!first) return failure('SOCKERR', `parse "${withoutPassword(kind.url)}": invalid URL`);
  for (let hop = first, redirects = 0; ; redirects++) {
    const failed = (code: string, why: string) => {
      const url = redirects === 0 ? kind.url : hop.url.href;
      return failure(code, `${titleCase(first.method)} "${withoutPassword(url)}": ${why}`);
    };
    const scheme = hop.url.protocol.slice(0, -1);
    if (scheme !== 'http' && scheme !== 'https') {
      return failed('SOCKERR', `unsupported protocol scheme "${scheme}"`);
    }
    const answer = await exchange(
      {
        ...requestOf(hop, !kind.tlsSkipVerify),
        keepBytes: outputMaxSize,
        readBytes: MOST_BODY_BYTES,
        refuses: redirects === 0 ? () => false : isLinkLocal,
      },
      signal,
    );
    if (!answer.ok) return failed(answer.code, failureWords(answer, hop));
    const next = nextHop(hop, answer);
    if (!next) return verdict(answer, `HTTP ${first.method} ${withoutPassword(kind.url)}`);
    if (redirects === MOST_REDIRECTS) return failed('L7RSP', `stopped after ${MOST_REDIRECTS} redirects`);
    hop = next;
  }
}

function verdict(answer: Answered, asked: string): ProbeResult {
  const { status } = answer;
  const passing = status >= 200 && status <= 299;
  return {
    status: passing ? 'passing' : status === 429 ? 'warning' : 'critical',
    output: `${asked}: ${`${status} ${answer.reason}`.trimEnd()} Output: ${answer.body.text()}`,
    code: passing ? 'L7OK' : 'L7STS',
    httpStatus: status,
  };
}

function failure(code: string, output: string): ProbeResult {
  return { status: 'critical', output, code, httpStatus: undefined };
}

/** The words of Go's HTTP client, which Consul shows. */
function failureWords({ code, error }: Failed, hop: Hop): string {
  if (code === 'L4TOUT' || code === 'L6TOUT' || code === 'L7TOUT') {
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  }
  if (code === 'L4CON' && isSystemError(error)) {
    const { host, port } = requestOf(hop);
    return dialWords(error, host, port);
  }
  return systemWords(error);
}

function titleCase(method: string): string {
  return `${method.slice(0, 1).toUpperCase()}${method.slice(1).toLowerCase()}`;
}

/** Outputs are read by many: a password in the URL is not for them. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^/?#@:]*):[^/?#]*@/i, '$1:***@');
}
