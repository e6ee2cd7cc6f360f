import { connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** The port of a server that says its name to whoever connects, until the test has finished. */
export async function namedTcp(name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** All that is said to a client that connects from that address. */
export function heardFrom(port: number, localAddress: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', reject).on('end', () => {
      socket.end();
      resolve(text);
    });
  });
}
