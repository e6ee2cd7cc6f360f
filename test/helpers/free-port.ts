import { createServer } from 'node:net';

/**
 * Loopback addresses (`127.0.0.1:PORT`) that nobody listens on at the moment: for programs that cannot be told to
 * choose a port themselves and say which.
 */
export async function freeAddresses(count: number): Promise<readonly string[]> {
  const servers = Array.from({ length: count }, () => createServer());
  // All are held at once, so that no port comes up twice.
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            if (address === null || typeof address === 'string') reject(new Error('not a TCP port'));
            else resolve(address.port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports.map((port) => `127.0.0.1:${port}`);
}

/** Below what Linux gives to those who do not ask for one, which begins at 32768. */
const LOWEST = 20_000;
const HIGHEST = 32_767;

/**
 * Such ports for a program that is ended and started again: one from the system's own range may meanwhile be the near
 * end of somebody's connection, and then it cannot be listened on.
 */
export async function lastingPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
