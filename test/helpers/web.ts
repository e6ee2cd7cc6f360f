import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A web server on a free loopback port. */
export interface Web {
  readonly port: number;
  readonly server: Server;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param answer by default the text given */
export async function startWeb(
  answer: string | ((request: IncomingMessage, response: ServerResponse) => void),
): Promise<Web> {
  const server = createServer((request, response) => {
    if (typeof answer === 'string') response.end(answer);
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
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
