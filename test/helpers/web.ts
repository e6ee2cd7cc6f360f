import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A web server on a loopback port. */
export interface Web {
  readonly port: number;
  readonly server: Server;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Without a place it is 127.0.0.1 and a free port.
 * @param answer a text to answer with, or what answers
 */
export async function startWeb(
  answer: string | ((request: IncomingMessage, response: ServerResponse) => void),
  { host = '127.0.0.1', port: wanted = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<Web> {
  const server = createServer((request, response) => {
    if (typeof answer === 'string') response.end(answer);
    else answer(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
