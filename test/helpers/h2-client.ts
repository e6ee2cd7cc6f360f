import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectH2 } from 'node:http2';
import { connect as encrypt, type TLSSocket } from 'node:tls';
import { eventually } from './eventually.ts';

/** How one stream went for its client. */
export interface H2Answer {
  status: number | undefined;
  headers: Record<string, unknown>;
  readonly interim: number[];
  body: string;
  trailers: Record<string, unknown> | undefined;
  /** The code of its reset; 0: it ended well. */
  code: number | undefined;
}

/** A session with a server on a loopback port, over TLS with whatever certificate that has unless it is said. */
export function openH2(port: number, options: object = {}, scheme = 'https'): ClientHttp2Session {
  const session = connectH2(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
  session.on('error', () => {});
  return session;
}

/** Follows a stream to its end. */
export function follow(stream: ClientHttp2Stream): {
  readonly answer: H2Answer;
  readonly closed: Promise<H2Answer>;
} {
  const answer: H2Answer = {
    status: undefined,
    headers: {},
    interim: [],
    body: '',
    trailers: undefined,
    code: undefined,
  };
  stream.on('error', () => {});
  stream.on('headers', (headers) => answer.interim.push(Number(headers[':status'])));
  stream.on('response', (headers) => {
    answer.status = headers[':status'];
    answer.headers = headers;
  });
  stream.on('trailers', (trailers) => {
    answer.trailers = trailers;
  });
  stream.setEncoding('latin1');
  stream.on('data', (text: string) => {
    answer.body += text;
  });
  const closed = new Promise<H2Answer>((resolve) =>
    stream.once('close', () => {
      answer.code = stream.rstCode;
      resolve(answer);
    }),
  );
  return { answer, closed };
}

/** One whole request. */
export function askH2(
  session: ClientHttp2Session,
  headers: object,
  body?: string | Buffer,
): Promise<H2Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return follow(stream).closed;
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  continuation: 9,
} as const;

/** A client that sends frames as it is told, right or wrong. */
export class FrameClient {
  readonly frames: Frame[] = [];
  closed = false;
  readonly #socket: TLSSocket;
  #pending = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
  }

  /** After the preface, unless that is left out. */
  static async open(port: number, preface = true): Promise<FrameClient> {
    const socket = encrypt({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const client = new FrameClient(socket);
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    if (preface) {
      client.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
      client.send(FRAME.settings, 0, 0);
    }
    return client;
  }

  write(bytes: Buffer): void {
    if (!this.closed) this.#socket.write(bytes);
  }

  send(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.write(Buffer.concat([head, payload]));
  }

  /** HEADERS of which nothing follows but what `flags` leave open: 5 is END_HEADERS and END_STREAM, 4 the first alone. */
  headers(stream: number, fields: readonly string[], flags = 5): void {
    this.send(FRAME.headers, flags, stream, literal(fields));
  }

  /** The code of this stream's reset. */
  reset(stream: number): Promise<number> {
    return eventually(() => {
      const frame = this.frames.find((one) => one.type === FRAME.reset && one.stream === stream);
      if (!frame) throw new Error(`stream ${stream} was not reset`);
      return frame.payload.readUInt32BE(0);
    });
  }

  gone(): Promise<void> {
    return eventually(() => {
      if (!this.closed) throw new Error('still connected');
    });
  }

  /** Takes nothing that is said to it any more. */
  stopReading(): void {
    this.#socket.pause();
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 9) {
      const length = this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < 9 + length) return;
      this.frames.push({
        type: this.#pending[3] ?? 0,
        flags: this.#pending[4] ?? 0,
        stream: this.#pending.readUInt32BE(5) & 0x7fff_ffff,
        payload: this.#pending.subarray(9, 9 + length),
      });
      this.#pending = this.#pending.subarray(9 + length);
    }
  }
}

/** Fields as HPACK's literals without indexing and without Huffman's code (RFC 7541, section 6.2.2). */
export function literal(fields: readonly string[]): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    pieces.push(Buffer.from([0]), text(fields[i] ?? ''), text(fields[i + 1] ?? ''));
  }
  return Buffer.concat(pieces);
}

function text(value: string): Buffer {
  const octets = Buffer.from(value, 'latin1');
  if (octets.length < 127) return Buffer.concat([Buffer.from([octets.length]), octets]);
  const length = [127];
  let rest = octets.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), octets]);
}
