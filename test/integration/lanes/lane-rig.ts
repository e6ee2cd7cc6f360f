import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished } from 'vitest';
import { serverId } from '../../../src/balance/server.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { VaneError } from '../../../src/core/errors.ts';
import { CompatLane } from '../../../src/proxy/lanes/compat/lane.ts';
import { DirectLane } from '../../../src/proxy/lanes/direct/lane.ts';
import type { Lane, LaneHost, RefusedRequest } from '../../../src/proxy/lanes/host.ts';
import type { Attempt, AttemptOutcome, Exchange, ServerConnections } from '../../../src/proxy/lanes/lane.ts';
import { LiveServer } from '../../../src/proxy/plane/live-server.ts';
import { TlsDoor } from '../../../src/proxy/plane/tls-door.ts';
import { failureAnswer } from '../../../src/proxy/request/answers.ts';
import { endToEndHeaders, withoutListed } from '../../../src/proxy/request/headers.ts';
import { originForm } from '../../../src/proxy/request/target.ts';
import { RawClient, RawOrigin } from '../../helpers/raw-http.ts';
import { selfSigned } from '../../helpers/self-signed.ts';

/** A lane, and how its clients come to it. */
export interface LaneUnderTest {
  readonly create: (host: LaneHost) => Lane;
  /** Over TLS. */
  readonly tls: boolean;
  /** What clients may agree on then; HTTP/1.1 alone if it is not said. */
  readonly alpn?: readonly ('h2' | 'http/1.1')[];
}

const direct = (host: LaneHost) => new DirectLane(host, { clock: systemClock });
const compat = (host: LaneHost) => new CompatLane(host, { clock: systemClock });

/** Every lane passes the same tests: given the same bytes they do and report the same, in the clear and over TLS. */
const LANES: readonly (LaneUnderTest & { readonly name: string })[] = [
  { name: 'direct lane', create: direct, tls: false },
  { name: 'compat lane', create: compat, tls: false },
  { name: 'direct lane over TLS', create: direct, tls: true },
  { name: 'compat lane over TLS', create: compat, tls: true },
];

export function describeLanes(subject: string, body: (kind: LaneUnderTest) => void): void {
  for (const kind of LANES) describe(`the ${kind.name}: ${subject}`, () => body(kind));
}

const { key, cert } = selfSigned();
const CERTIFICATE = { file: 'self-signed.pem', names: [], chain: cert, key };

/** What a lane's host does: by default it forwards each exchange once, and answers for what failed. */
export class RigHost implements LaneHost {
  timeouts = { client: 10_000, httpRequest: 10_000, httpKeepAlive: 10_000 };
  attemptTimeout = { connect: 5_000, server: 10_000, tunnel: 10_000 };
  closeAfter = false;
  draining = false;
  fresh = false;
  /** The target to send; undefined: as it came. */
  target: string | undefined;
  readonly exchanges: Exchange[] = [];
  readonly attempts: Attempt[] = [];
  readonly outcomes: AttemptOutcome[] = [];
  readonly refusals: RefusedRequest[] = [];
  readonly aborts: VaneError[] = [];
  onAnswered: (attempt: Attempt) => void = () => {};
  onExchange: (exchange: Exchange) => void = (exchange) => void this.serve(exchange);
  readonly connections: ServerConnections;
  readonly #port: number;

  /** Bytes kept of a request's body; statuses for which another attempt is made. */
  keepBody = 0;
  unwanted: readonly number[] = [];
  /** What becomes of the fields of an answer; undefined: they stay as they are. */
  edit: Attempt['edit'];

  constructor(connections: ServerConnections, port: number) {
    this.connections = connections;
    this.#port = port;
  }

  handle(exchange: Exchange): void {
    this.exchanges.push(exchange);
    exchange.onAborted = (error) => this.aborts.push(error);
    this.onExchange(exchange);
  }

  refused(request: RefusedRequest): void {
    this.refusals.push(request);
  }

  /** One attempt; what the request life does about its failure. */
  async serve(exchange: Exchange): Promise<AttemptOutcome> {
    const outcome = await this.forward(exchange);
    if (outcome.error && !outcome.responseStarted) {
      const answer = failureAnswer(outcome.error);
      if (answer) exchange.respond(answer);
      else exchange.destroy(outcome.error);
    }
    return outcome;
  }

  async forward(exchange: Exchange, connections = this.connections): Promise<AttemptOutcome> {
    const { head } = exchange;
    const { promise, resolve } = Promise.withResolvers<AttemptOutcome>();
    const attempt: Attempt = {
      server: snapshot(this.#port),
      connections,
      fresh: this.fresh,
      target: this.target ?? originForm(head),
      headers: endToEndHeaders(withoutListed(head.headers)),
      vetted: false,
      startedAt: systemClock.now(),
      timeout: this.attemptTimeout,
      cancel: undefined,
      closeAfter: this.closeAfter,
      keepBody: this.keepBody,
      edit: this.edit,
      answered: (status, replayable) => {
        if (replayable && this.unwanted.includes(status)) return true;
        this.onAnswered(attempt);
        return false;
      },
      ended: resolve,
    };
    this.attempts.push(attempt);
    exchange.forward(attempt);
    const outcome = await promise;
    this.outcomes.push(outcome);
    return outcome;
  }
}

export interface Rig {
  readonly lane: Lane;
  readonly host: RigHost;
  readonly origin: RawOrigin;
  readonly server: LiveServer;
  /** Connections to the origin that the lane was given, new and idle ones, in order. */
  readonly given: Socket[];
  /** The lane's ends of the clients' connections. */
  readonly sockets: Socket[];
  /** Where the lane takes connections. */
  readonly port: number;
  client(): Promise<RawClient>;
  /** Takes all down at once, for tests that start many. */
  close(): Promise<void>;
}

/** A lane between a listener on a free port and a scripted server; all taken down when the test has finished. */
export async function startRig({ create, tls, alpn = ['http/1.1'] }: LaneUnderTest): Promise<Rig> {
  const origin = await RawOrigin.listen();
  const server = new LiveServer(snapshot(origin.port), systemClock);
  const given: Socket[] = [];
  const note = (socket: Socket) => {
    given.push(socket);
    return socket;
  };
  const connections: ServerConnections = {
    takeIdle: (within) => {
      const socket = server.takeIdle(within);
      return socket && note(socket);
    },
    connect: async (timeout, signal) => note(await server.connect(timeout, signal)),
    giveBack: (socket) => server.giveBack(socket),
  };
  const host = new RigHost(connections, origin.port);
  const lane = create(host);
  const sockets: Socket[] = [];
  const admit = (socket: Socket) => {
    sockets.push(socket);
    lane.serve(socket);
  };
  const door = new TlsDoor({
    tls: { certificates: [CERTIFICATE], minVersion: 'TLSv1.2', alpn },
    timeout: 10_000,
    admit,
    failed: (error) => expect.unreachable(error.message),
  });
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    if (tls) door.take(socket.on('error', () => {}));
    else admit(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const clients: RawClient[] = [];
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    lane.destroy(new VaneError('STOPPING', 'the test is over'));
    server.remove();
    for (const { socket } of clients) socket.destroy();
    await origin.close();
    await new Promise((resolve) => listener.close(resolve));
  };
  onTestFinished(close);
  const client = async () => {
    const made = await (tls ? RawClient.connectTls(port) : RawClient.connect(port));
    clients.push(made);
    return made;
  };
  return { lane, host, origin, server, given, sockets, port, client, close };
}

/** A server's connections of which there are none, to be overridden. */
export const noConnections: ServerConnections = {
  takeIdle: () => undefined,
  connect: () => Promise.reject(new VaneError('CONNECT_FAILED', 'none')),
  giveBack: () => {},
};

function snapshot(port: number) {
  const address = '127.0.0.1';
  const id = serverId(address, port);
  return {
    id,
    name: 'origin',
    address,
    port,
    weight: 1,
    tier: 0,
    backup: false,
    maxconn: 0,
    rank: 0,
    admission: 'open',
  } as const;
}
