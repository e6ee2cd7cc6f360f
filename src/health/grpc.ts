import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { CheckKind } from '../registry/model.ts';
import { dialWords, hostPort, isSystemError, systemWords } from './network-errors.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { splitHostPort } from './tcp.ts';
import { tlsOptions } from './tls-options.ts';

type GrpcKind = Extract<CheckKind, { kind: 'grpc' }>;

const PATH = '/grpc.health.v1.Health/Check';
/** HealthCheckResponse.ServingStatus. */
const SERVING = 1;
/** A health response has a few bytes; what sends more is something else. */
const MOST_BYTES = 64 * 1024;
/** In front of each message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

/** https://grpc.io/docs/guides/status-codes, by number. */
const STATUS_NAMES = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists'],
  ...['PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange'],
  ...['Unimplemented', 'Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
];

/**
 * Consul's gRPC check of `host:port` or `host:port/service`: passes when the health service there says SERVING
 * (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). Outputs are in the words of Go's client.
 */
export function grpcProbe(kind: GrpcKind): Probe {
  const slash = kind.target.indexOf('/');
  const server = slash < 0 ? kind.target : kind.target.slice(0, slash);
  const service = slash < 0 ? '' : kind.target.slice(slash + 1);
  return {
    async run(signal) {
      const at = splitHostPort(server);
      if (!at) return unavailable('SOCKERR', `dial tcp: address ${server}: missing port in address`);
      const origin = URL.parse(`${kind.useTls ? 'https' : 'http'}://${hostPort(at.host, at.port)}`);
      if (!origin) return unavailable('SOCKERR', `dial tcp: address ${server}: invalid port`);
      const tls = kind.useTls
        ? tlsOptions({ verify: !kind.tlsSkipVerify, ca: undefined, name: at.host })
        : undefined;
      const answer = await ask(() => connect(origin, tls), service, signal);
      if (answer.kind === 'answered') return verdict(answer, kind.target);
      if (answer.kind === 'timeout') {
        return critical('L7TOUT', rpcError('DeadlineExceeded', 'context deadline exceeded'));
      }
      const { error, connected } = answer;
      if (connected) return critical('L7RSP', rpcError('Unavailable', wordsOf(error)));
      return unavailable(
        'L4CON',
        isSystemError(error) ? dialWords(error, at.host, at.port) : systemWords(error),
      );
    },
  };
}

interface Answered {
  readonly kind: 'answered';
  /** Of the response; anything but 200 is no gRPC. */
  readonly httpStatus: number;
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string;
  /** The response message with its prefix. */
  readonly body: Buffer;
}

type Outcome =
  | Answered
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly error: Error; readonly connected: boolean };

/** One call on a connection of its own, which is gone when this has resolved. Never rejects. */
function ask(open: () => ClientHttp2Session, service: string, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'timeout' });
    const session = open();
    let connected = false;
    const finish = (outcome: Outcome) => {
      signal.removeEventListener('abort', onAbort);
      session.destroy();
      resolve(outcome);
    };
    const onAbort = () => finish({ kind: 'timeout' });
    // Kept to the end: an error after the verdict must not be an uncaught one.
    const onError = (error: Error) => finish({ kind: 'failed', error, connected });
    signal.addEventListener('abort', onAbort, { once: true });
    session.once('connect', () => {
      connected = true;
    });
    session.on('error', onError);
    session.on('close', () => onError(new Error('the connection was closed without a response')));
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'Consul Health Check',
    });
    // A stream that goes with its connection says so; why that went is the cause.
    stream.on('error', (error) => onError(error.cause instanceof Error ? error.cause : error));
    receive(stream, finish, onError);
    stream.end(requestMessage(service));
  });
}

function receive(
  stream: ClientHttp2Stream,
  done: (answered: Answered) => void,
  failed: (error: Error) => void,
): void {
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  let bytes = 0;
  const chunks: Buffer[] = [];
  stream.on('response', (headers) => {
    head = headers;
  });
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MOST_BYTES) failed(new Error('the response is too large for one of a health service'));
  });
  stream.on('end', () => {
    // A response without a message has its status in the head.
    const status = trailers['grpc-status'] ?? head['grpc-status'];
    const message = trailers['grpc-message'] ?? head['grpc-message'];
    done({
      kind: 'answered',
      httpStatus: Number(head[':status'] ?? 0),
      grpcStatus: status === undefined ? undefined : String(status),
      grpcMessage: message === undefined ? '' : percentDecoded(String(message)),
      body: Buffer.concat(chunks),
    });
  });
}

function verdict(answer: Answered, target: string): ProbeResult {
  const { httpStatus, grpcStatus, grpcMessage, body } = answer;
  if (httpStatus !== 200 || grpcStatus === undefined) {
    const words = `unexpected HTTP status code received from server: ${httpStatus}`;
    return { ...critical('L7RSP', rpcError('Unknown', words)), httpStatus };
  }
  if (grpcStatus !== '0') {
    return critical(
      'L7STS',
      rpcError(STATUS_NAMES[Number(grpcStatus)] ?? `Code(${grpcStatus})`, grpcMessage),
    );
  }
  if (servingStatus(body) !== SERVING) {
    return critical('L7STS', "gRPC application didn't report service healthy");
  }
  return { status: 'passing', output: `gRPC check ${target}: success`, code: 'L7OK', httpStatus: undefined };
}

function unavailable(code: string, why: string): ProbeResult {
  const words = `connection error: desc = "transport: Error while dialing ${why}"`;
  return critical(code, rpcError('Unavailable', words));
}

function critical(code: string, output: string): ProbeResult {
  return { status: 'critical', output, code, httpStatus: undefined };
}

function rpcError(status: string, words: string): string {
  return `rpc error: code = ${status} desc = ${words}`;
}

/** HTTP/2's own errors have numbers, too, but not the system's. */
function wordsOf(error: NodeJS.ErrnoException): string {
  return error.code?.startsWith('ERR_HTTP2_') ? error.message : systemWords(error);
}

/** HealthCheckRequest: field 1 is the service's name, left out when empty. */
function requestMessage(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** https://protobuf.dev/programming-guides/encoding: seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** HealthCheckResponse: field 1 is the status, a small number; 0, or left out: unknown. */
function servingStatus(body: Buffer): number | undefined {
  const [compressed, tag, status] = [body[0], body[PREFIX_BYTES], body[PREFIX_BYTES + 1]];
  return compressed === 0 && tag === 0x08 ? status : undefined;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign stands for itself.
    return text;
  }
}
