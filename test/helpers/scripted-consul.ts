import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type Play = (request: IncomingMessage, response: ServerResponse) => void;

/** An HTTP server in the place of Consul that does what it is told to. */
export interface ScriptedConsul {
  readonly url: string;
  /** The paths that were asked for, with their queries, and the tokens. */
  readonly asked: readonly { readonly path: string; readonly token: string | undefined }[];
  /** From now on each request is answered so; those that wait stay as they are. */
  play(next: Play): void;
  /** Answers what waits. */
  wake(play: Play): void;
  /** Connections open. */
  connections(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param tls key and certificate of `localhost`, for HTTPS */
export async function startScriptedConsul(
  first: Play,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ScriptedConsul> {
  const asked: { path: string; token: string | undefined }[] = [];
  const waiting = new Set<readonly [IncomingMessage, ServerResponse]>();
  let current = first;
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push({ path: request.url ?? '', token: request.headers['x-consul-token']?.toString() });
    const pair = [request, response] as const;
    waiting.add(pair);
    response.on('close', () => waiting.delete(pair));
    current(request, response);
  };
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    asked,
    play: (next) => {
      current = next;
    },
    wake: (play) => {
      for (const [request, response] of waiting) play(request, response);
    },
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Answers with JSON at an index; what waits for a higher one stays unanswered. */
export function saying(body: unknown, index: number, headers: Readonly<Record<string, string>> = {}): Play {
  return (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://consul');
    if (Number(searchParams.get('index') ?? 0) === index) return;
    response.writeHead(200, { 'X-Consul-Index': String(index), 'X-Consul-KnownLeader': 'true', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** One entry of `health/service/…`. */
export function entry(id: string, port: number, status = 'passing', more: object = {}): object {
  return {
    Node: { Node: 'n1', Address: '10.0.0.1' },
    Service: { ID: id, Service: 'web', Tags: ['V1'], Address: '', Port: port, ...more },
    Checks: [{ CheckID: `check-${id}`, Name: 'check', Status: status, Output: 'says so', Notes: '' }],
  };
}
