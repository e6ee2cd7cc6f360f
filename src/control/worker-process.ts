import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import { getCompileCacheDir } from 'node:module';
import { dirname, extname } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../core/errors.ts';
import type { BoundSocket } from '../proxy/plane/bound-socket.ts';
import { type FromWorker, PROTOCOL, type ToWorker } from '../proxy/plane/worker-channel.ts';

/** A process that runs a data plane, as the control process sees it. */
export interface WorkerProcess {
  /** Undefined: it could not be started, and its end is about to be told. */
  readonly pid: number | undefined;
  /** Messages arrive in order; those to a process that has ended are lost. */
  post(message: ToWorker, socket?: BoundSocket): void;
  onMessage(fn: (message: FromWorker) => void): void;
  /** Called once, also when it could not be started. */
  onEnd(fn: (why: string) => void): void;
  /** Closes the line, upon which it ends by itself. */
  leave(): void;
  kill(): void;
}

/** Source or built, like this file. */
const ENTRY = fileURLToPath(new URL(`../worker${extname(import.meta.url)}`, import.meta.url));

/**
 * Runs what is on disk now: a later version of Vane or of Node than this process, where they were replaced.
 * @param lines takes its standard output, which is made of lines */
export function forkWorker(lines: (stdout: Readable) => void): WorkerProcess {
  const child = fork(ENTRY, [PROTOCOL], {
    env: { ...process.env, ...compileCache() },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  if (child.stdout) lines(child.stdout);
  return {
    pid: child.pid,
    post: (message, socket) => {
      if (!child.connected) return;
      // Node takes its own objects for sockets too, though its types do not say so.
      child.send(message, socket?.handle as SendHandle | undefined, {}, () => undefined);
    },
    // Both ends are of the same program.
    onMessage: (fn) => void child.on('message', (message) => fn(message as unknown as FromWorker)),
    onEnd: (fn) => onEnd(child, fn),
    leave: () => {
      if (child.connected) child.disconnect();
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Compiled code is kept where this process keeps its own, of every version of Node in a folder of its own. */
function compileCache(): { readonly NODE_COMPILE_CACHE?: string } {
  const own = getCompileCacheDir();
  return own === undefined ? {} : { NODE_COMPILE_CACHE: dirname(own) };
}

function onEnd(child: ChildProcess, fn: (why: string) => void): void {
  let over = false;
  const end = (why: string) => {
    if (over) return;
    over = true;
    fn(why);
  };
  child.on('exit', (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  child.on('error', (error) => {
    if (child.pid === undefined) end(messageOf(error));
  });
}
