import { WebSocket } from 'ws';

/** A WebSocket to an instance that says again what it hears. */
export interface OpenWebSocket extends AsyncDisposable {
  /** Resolves to the code by which it was closed; 1006: cut. */
  readonly closed: Promise<number>;
  readonly isClosed: boolean;
  /** Rejects when it is closed meanwhile. */
  echo(text: string): Promise<string>;
}

/** A WebSocket through a frontend to some instance. */
export async function openWebSocket(port: number): Promise<OpenWebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return {
    closed,
    get isClosed() {
      return socket.readyState === WebSocket.CLOSED;
    },
    async echo(text: string): Promise<string> {
      const answer = new Promise<string>((resolve) =>
        socket.once('message', (data) => resolve(String(data))),
      );
      const cut = closed.then((code) => Promise.reject(new Error(`the WebSocket was closed: ${code}`)));
      socket.send(text);
      return Promise.race([answer, cut]);
    },
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}

/** Many of them, all of which have been answered once. */
export async function openWebSockets(port: number, count: number): Promise<readonly OpenWebSocket[]> {
  const sockets: OpenWebSocket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await openWebSocket(port));
  await assertEcho(sockets, 'hello');
  return sockets;
}

/** Rejects unless all of them are open and answer. */
export async function assertEcho(sockets: readonly OpenWebSocket[], text: string): Promise<void> {
  const answers = await Promise.all(sockets.map((socket) => socket.echo(text)));
  const wrong = answers.filter((answer) => !answer.endsWith(`: ${text}`));
  if (wrong.length > 0) throw new Error(`${wrong.length} WebSockets answered something else: ${wrong[0]}`);
}
