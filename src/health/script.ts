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
      const [command, ...args] = commandOf(kind);
      if (!command) return programFailure('exec: no command');
      const output = new Tail(options.outputMaxSize);
      const ended = await runProgram(command, args, output, signal);
      if ('error' in ended) return programFailure(spawnWords(command, ended.error));
      return signal.aborted ? timedOut(options.timeout, output) : byExitCode(ended.code, output);
    },
  };
}

/** The program that a check runs, and its arguments. */
export function commandOf({ shell, args }: { readonly shell: string; readonly args: readonly string[] }) {
  return shell === '' ? args : [shell, '-c', args.join(' ')];
}

/** What a program's end says; undefined: a signal ended it. */
export function byExitCode(exitCode: number | undefined, output: Tail): ProbeResult {
  const status = exitCode === 0 ? 'passing' : exitCode === 1 ? 'warning' : 'critical';
  const code = exitCode === 0 ? 'PROCOK' : 'PROCERR';
  return { status, output: capturedTail(output), code, httpStatus: undefined };
}

/** @param timeout ms */
export function timedOut(timeout: number, output: Tail): ProbeResult {
  const text = capturedTail(output);
  const said = `Timed out (${goDuration(timeout)}) running check`;
  return {
    status: 'critical',
    output: text === '' ? said : `${said}\n\n${text}`,
    code: 'PROCTOUT',
    httpStatus: undefined,
  };
}

/** A program that could not be run. */
export function programFailure(output: string): ProbeResult {
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

/**
 * Runs a program without a shell, until it ends or the signal kills it and all of its process group. Never rejects.
 * @param more variables besides those that all programs get
 */
export function runProgram(
  command: string,
  args: string[],
  output: Tail,
  signal: AbortSignal,
  more: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ error: new Error('aborted') });
    let child: ChildProcess;
    try {
      // Detached: leader of a new session and process group.
      child = spawn(command, args, {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...passedOn(), ...more },
      });
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
