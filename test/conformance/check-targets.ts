import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Route, Step } from './scenario.ts';

type Serving = NonNullable<Step['serve']>;
type Script = NonNullable<Step['script']>;

/** A request that a backend received. */
export interface Received {
  readonly method: string | undefined;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Something for a check to probe, on a port of its own that it keeps when it is stopped and started again. */
export class Backend {
  readonly log: Received[] = [];
  readonly #host: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #says: Serving;
  #port = 0;

  constructor(spec: Serving, host: string) {
    this.#says = spec;
    this.#host = host;
    this.#server =
      spec.kind === 'tcp'
        ? createTcpServer((socket) => socket.on('error', () => {}))
        : createHttpServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get address(): string {
    return `${this.#host}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, this.#host, resolve);
    });
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  /** Whatever is left out stays. */
  says(change: Route): void {
    this.#says = { ...this.#says, ...change };
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url: path = '', headers } = request;
      this.log.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      const route = this.#says.routes?.[path.split('?')[0] ?? ''] ?? this.#says;
      response.writeHead(route.status ?? 200, { 'Content-Type': 'text/plain', ...route.headers });
      response.end(route.body ?? '');
    });
  }
}

/** Shell scripts for checks to run, in a folder that exists while there are any. */
export class Scripts {
  readonly #scripts = new Map<string, Script>();
  #folder: string | undefined;

  /** Writes a script, or changes what it does; answers with its path. */
  write(change: Script): string {
    this.#folder ??= openFolder();
    const script: Script = { ...this.#scripts.get(change.name), ...change };
    this.#scripts.set(change.name, script);
    const path = join(this.#folder, `${change.name}.sh`);
    // In one step, so that no run of it sees half a script.
    writeFileSync(`${path}.new`, textOf(script), { mode: 0o755 });
    renameSync(`${path}.new`, path);
    return path;
  }

  remove(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The registry may run as another user. */
function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  chmodSync(folder, 0o755);
  return folder;
}

function textOf({ exit = 0, output = '', sleep, repeat, tail }: Script): string {
  const print = `printf '%s' '${output}'`;
  return [
    '#!/bin/sh',
    ...(sleep ? [`sleep ${sleep}`] : []),
    ...(repeat ? [`i=0; while [ $i -lt ${repeat} ]; do ${print}; i=$((i+1)); done`] : [print]),
    ...(tail ? [`printf '%s' '${tail}'`] : []),
    `exit ${exit}`,
    '',
  ].join('\n');
}
