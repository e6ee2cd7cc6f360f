import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf } from '../core/errors.ts';
import type { CheckKind } from '../registry/model.ts';
import { goDuration } from './duration.ts';
import { systemWords } from './network-errors.ts';
import { capturedTail, Tail } from './output.ts';
import type { Probe, ProbeResult } from './probe.ts';

type ScriptKind = Extract<CheckKind, { kind: 'script' }>;

/** How a program ended: its exit code, undefined when a signal ended it; or why it never began. */
type Ended = { readonly code: number | undefined } | { readonly error: Error };

/** What programs get of this process's environment: enough to run, and none of its secrets. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/**
 * Consul's script check: exit code 0 passes, 1 warns, anything else is critical. The program runs without a
 * shell unless the definition names one, then its arguments, joined by spaces, are the shell's command line.
 * It leads a process group of its own, all of which is killed when it ends or takes too long.
 */
export function scriptProbe(kind: ScriptKind, options: { timeout: number; outputMaxSize: number }): Probe {
  return {
    async run(signal) {
      const [command, ...args] = kind.shell === '' ? kind.args : [kind.shell, '-c', kind.args.join(' ')];
      if (command === undefined || command === '') return failure('exec: no command');
      const output = new Tail(options.outputMaxSize);
      const ended = await runProgram(command, args, output, signal);
      if ('error' in ended) return failure(spawnWords(command, ended.error));
      const text = capturedTail(output);
      if (signal.aborted) return timedOut(options.timeout, text);
      if (ended.code === 0) return { status: 'passing', output: text, code: 'PROCOK', httpStatus: undefined };
      const status = ended.code === 1 ? 'warning' : 'critical';
      return { status, output: text, code: 'PROCERR', httpStatus: undefined };
    },
  };
}

function timedOut(timeout: number, text: string): ProbeResult {
  const said = `Timed out (${goDuration(timeout)}) running check`;
  return {
    status: 'critical',
    output: text === '' ? said : `${said}\n\n${text}`,
    code: 'PROCTOUT',
    httpStatus: undefined,
  };
}

function failure(output: string): ProbeResult {
  return { status: 'critical', output, code: 'PROCERR', httpStatus: undefined };
}

/** The words of Go's `os/exec`. */
function spawnWords(command: string, error: Error): string {
  const { code }: NodeJS.ErrnoException = error;
  if (code === 'ENOENT' && !command.includes('/')) {
    return `exec: "${command}": executable file not found in $PATH`;
  }
  return `fork/exec ${command}: ${systemWords(error)}`;
}

function runProgram(command: string, args: string[], output: Tail, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ error: new Error('aborted') });
    let child: ChildProcess;
    try {
      // Detached: leader of a new session and process group.
      child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: passedOn() });
    } catch (thrown) {
      return resolve({ error: thrown instanceof Error ? thrown : new Error(messageOf(thrown)) });
    }
    const { stdout, stderr } = child;
    let exited = false;
    const onAbort = () => {
      // Once the leader is gone its number may be another's.
      if (!exited) killGroup(child);
      // Whoever left the group may hold the pipes open for ever; the leader's end is waited for.
      stdout?.destroy();
      stderr?.destroy();
    };
    const finish = (ended: Ended) => {
      signal.removeEventListener('abort', onAbort);
      resolve(ended);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    stdout?.on('data', (chunk: Buffer) => output.write(chunk));
    stderr?.on('data', (chunk: Buffer) => output.write(chunk));
    // It could not be started.
    child.on('error', (error) => finish({ error }));
    child.on('exit', () => {
      exited = true;
      killGroup(child);
    });
    // After 'exit', once all output has been read.
    child.on('close', (code) => finish({ code: code ?? undefined }));
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: nobody is left in the group.
  }
}

function passedOn(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const name of PASSED_ON) {
    if (process.env[name] !== undefined) env[name] = process.env[name];
  }
  return env;
}
