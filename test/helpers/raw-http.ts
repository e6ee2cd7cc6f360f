import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net';
import { connect as encrypt } from 'node:tls';
import { eventually } from './eventually.ts';

/** A message taken off the wire by its own framing. Everything is Latin-1, so that octets stay what they are. */
export interface RawMessage {
  /** The request line or status line. */
  readonly line: string;
  /** Flat: name, then value; in the order and case they came. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Trailer fields, flat. */
  readonly trailers: readonly string[];
  /** Octet for octet as it came. */
  readonly raw: string;
}

/** The values of the fields of this name, whatever its case. */
export function values(message: Pick<RawMessage, 'headers'>, name: string): string[] {
  return message.headers.flatMap((value, i, all) =>
    i % 2 === 1 && all[i - 1]?.toLowerCase() === name.toLowerCase() ? [value] : [],
  );
}

/** A client that sends what it is told, octet for octet, and keeps what comes. */
export class RawClient {
  readonly socket: Socket;
  /** All that has come so far and was not taken by {@link answer}. */
  received = '';
  /** The server has ended its side. */
  ended = false;
  closed = false;
  /** The code of the error that broke the connection. */
  error: string | undefined;

  readonly #encrypted: boolean;

  private constructor(socket: Socket, encrypted = false) {
    this.socket = socket;
    this.#encrypted = encrypted;
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = open({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const client = new RawClient(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    return client;
  }

  /** Over TLS, whatever certificate the server has. */
  static async connectTls(port: number): Promise<RawClient> {
    const socket = open({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await new Promise((resolve) => socket.once('connect', resolve));
    const encrypted = encrypt({ socket, rejectUnauthorized: false });
    // Node resets bare connections only.
    encrypted.resetAndDestroy = () => {
      socket.resetAndDestroy();
      return encrypted;
    };
    const client = new RawClient(encrypted, true);
    await new Promise((resolve) => encrypted.once('secureConnect', resolve));
    return client;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The next whole message, by its framing; one without any ends with the connection. */
  answer(method = 'GET'): Promise<RawMessage> {
    return eventually(() => {
      const found = takeMessage(this.received, { method, ended: this.ended });
      if (!found) throw new Error(`no whole answer in ${JSON.stringify(this.received)} (${this.error})`);
      this.received = this.received.slice(found.raw.length);
      return found;
    });
  }

  /** Waits until the connection is cut: by a reset, or by its end where it is encrypted (see `proxy/tcp/cut.ts`). */
  async cut(): Promise<void> {
    if (this.#encrypted) return this.gone();
    await eventually(() => {
      if (!this.closed) throw new Error('still connected');
    });
    if (this.error !== 'ECONNRESET') throw new Error(`no reset, but ${this.error}`);
  }

  /** Waits for the end of the connection, however it comes. */
  gone(): Promise<void> {
    return eventually(() => {
      if (!this.ended && !this.closed) throw new Error('still connected');
    });
  }
}

export interface OriginConnection {
  readonly socket: Socket;
  /** What has come on it that is no whole request yet. */
  readonly pending: () => string;
  send(text: string): void;
}

/** A server whose every octet the test decides. */
export class RawOrigin {
  readonly port: number;
  /** Whole requests, in the order they came. */
  readonly requests: RawMessage[] = [];
  readonly connections: OriginConnection[] = [];
  /** Called with each head, before its body. */
  onHead: ((connection: OriginConnection, head: string) => void) | undefined;
  /** Called with each whole request. */
  onRequest: (connection: OriginConnection, request: RawMessage) => void = (connection) =>
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket: Socket) => this.#serve(socket));
  }

  static async listen(): Promise<RawOrigin> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new RawOrigin(server);
  }

  /** Answers every whole request with these octets. */
  answers(...texts: string[]): void {
    let next = 0;
    this.onRequest = (connection) => {
      connection.send(texts[Math.min(next++, texts.length - 1)] ?? '');
    };
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    let received = '';
    let headSeen = false;
    /** Octets that must have come before it is worth another look: large bodies come in many pieces. */
    let wanted = 0;
    const connection: OriginConnection = {
      socket,
      pending: () => received,
      send: (text) => socket.write(text, 'latin1'),
    };
    this.connections.push(connection);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      while (received.length >= wanted) {
        wanted = 0;
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!headSeen) {
          headSeen = true;
          this.onHead?.(connection, received.slice(0, end + 4));
        }
        const request = takeMessage(received);
        if (!request) {
          wanted = wholeLength(received);
          return;
        }
        headSeen = false;
        received = received.slice(request.raw.length);
        this.requests.push(request);
        this.onRequest(connection, request);
      }
    });
  }
}

interface TakeOptions {
  /** Of the request that an answer is for; undefined: it is a request itself. */
  readonly method?: string;
  /** The connection has ended behind the text. */
  readonly ended?: boolean;
}

/** The first message of a text, if it is there whole. Interim answers count as messages. */
export function takeMessage(text: string, options: TakeOptions = {}): RawMessage | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const headers = fields.flatMap(splitField);
  const start = end + 4;
  const coded = values({ headers }, 'transfer-encoding').length > 0;
  if (coded && !isBodyless(line, options.method)) return takeChunks(text, { line, headers, start });
  const length = bodyLength(line, headers, text.length - start, options);
  if (length === undefined || text.length < start + length) return undefined;
  const raw = text.slice(0, start + length);
  return { line, headers, body: raw.slice(start), trailers: [], raw };
}

/** How long the first message of a text will be at least, as far as it says so itself. */
function wholeLength(text: string): number {
  const end = text.indexOf('\r\n\r\n') + 4;
  const [length] = /^content-length: (\d+)/im.exec(text.slice(0, end))?.slice(1) ?? [];
  return end + Number(length ?? 0);
}

function isBodyless(line: string, method: string | undefined): boolean {
  return method === 'HEAD' || (method !== undefined && /^HTTP\/1\.\d (?:1\d\d|204|304)/.test(line));
}

function bodyLength(
  line: string,
  headers: readonly string[],
  rest: number,
  { method, ended }: TakeOptions,
): number | undefined {
  if (isBodyless(line, method)) return 0;
  const [length] = values({ headers }, 'content-length');
  if (length !== undefined) return Number(length);
  // A request without a length has no body; an answer without one ends with the connection.
  if (method === undefined) return 0;
  return ended ? rest : undefined;
}

function takeChunks(
  text: string,
  { line, headers, start }: { line: string; headers: string[]; start: number },
): RawMessage | undefined {
  let body = '';
  for (let at = start; ; ) {
    const sizeEnd = text.indexOf('\r\n', at);
    if (sizeEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, sizeEnd), 16);
    if (size === 0) {
      const close = text.startsWith('\r\n', sizeEnd + 2) ? sizeEnd : text.indexOf('\r\n\r\n', sizeEnd + 2);
      if (close < 0) return undefined;
      const trailers = text
        .slice(sizeEnd + 2, Math.max(close, sizeEnd + 2))
        .split('\r\n')
        .flatMap((field) => (field ? splitField(field) : []));
      return { line, headers, body, trailers, raw: text.slice(0, close + 4) };
    }
    if (text.length < sizeEnd + 4 + size) return undefined;
    body += text.slice(sizeEnd + 2, sizeEnd + 2 + size);
    at = sizeEnd + 4 + size;
  }
}

function splitField(field: string): [name: string, value: string] {
  const colon = field.indexOf(':');
  return [field.slice(0, colon), field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
}
