import { isRunning } from './program.ts';
import { RawClient, values } from './raw-http.ts';

/** The processes of workers that a program says it has started, in order. */
export function workerPids(output: string): readonly number[] {
  const started = output.matchAll(/"worker":\d+,"pid":(\d+),"msg":"worker has been started"/g);
  return [...started].map(([, pid]) => Number(pid));
}

export function runningWorkers(output: string): readonly number[] {
  return workerPids(output).filter(isRunning);
}

/** Sends a request on an open connection; resolves to the status, or to undefined when no answer came. */
export async function askOn(client: RawClient, path: string): Promise<string | undefined> {
  client.send(`GET ${path} HTTP/1.1\r\nHost: drill\r\n\r\n`);
  const answer = await client.answer().catch(() => undefined);
  return answer?.line.split(' ')[1];
}

/**
 * Connections that stay open, opened one after the other, so that each worker has some. All have been answered
 * once.
 */
export async function openConnections(port: number, count: number): Promise<readonly RawClient[]> {
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await RawClient.connect(port);
    client.send('GET /fast HTTP/1.1\r\nHost: drill\r\n\r\n');
    const answer = await client.answer();
    if (!answer.line.includes(' 200 ') || values(answer, 'connection').includes('close')) {
      throw new Error(answer.line);
    }
    clients.push(client);
  }
  return clients;
}

export function closeAll(clients: readonly RawClient[]): void {
  for (const { socket } of clients) socket.destroy();
}
