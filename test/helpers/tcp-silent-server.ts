import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';

const LISTEN = `
  const server = require('node:net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));
`;

/**
 * A port that answers nothing to whoever connects, like a machine that has vanished: its process is stopped and its
 * queue of unaccepted connections is full, so that the system drops further ones.
 */
export async function silentServer(): Promise<{ port: number; close: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fillers: Socket[] = [];
  const close = async () => {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  try {
    const [line] = await once(child.stdout, 'data');
    const port = Number(line);
    child.kill('SIGSTOP');
    // More than the queue takes: as long as some of them hang, it is full.
    for (let i = 0; i < 4; i++) fillers.push(connect(port, '127.0.0.1').on('error', () => {}));
    await eventually(() => expect(fillers.filter((socket) => !socket.connecting)).toHaveLength(2));
    return { port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
