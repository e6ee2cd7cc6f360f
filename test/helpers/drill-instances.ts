import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Program, startProgram } from './program.ts';

/** What an instance wrote about one request. */
export interface Noted {
  /** Milliseconds as {@link monotonic} tells them. */
  readonly at: number;
  readonly instance: string;
  /** `executed`: a POST whose body came whole. */
  readonly event: 'start' | 'executed' | 'upgrade';
  readonly method: string;
  readonly target: string;
}

/** A process of drill-instance.mjs. */
export interface Instances extends Program {
  /** `host:port` by name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** All requests so far; also of a process that is dead. */
  noted(): readonly Noted[];
}

/** Milliseconds of the clock that all processes of this machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Starts one process with an instance for each of `specs`: `NAME` or `NAME=HOST:PORT`. Ready when it resolves. */
export async function startInstances(...specs: readonly string[]): Promise<Instances> {
  const folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  const record = join(folder, 'record');
  const program = startProgram(process.execPath, ['test/helpers/drill-instance.mjs', record, ...specs]);
  const addresses = new Map<string, string>();
  for (const spec of specs) {
    const name = spec.replace(/=.*/, '');
    const [, address = ''] = await program.says(new RegExp(`^instance ${name} at (\\S+)$`, 'm'));
    addresses.set(name, address);
  }
  return {
    ...program,
    addresses,
    noted: () => readFileSync(record, 'utf8').split('\n').flatMap(readNote),
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of the request that a target is of. */
export function idOf(target: string): string {
  return target.match(/\bid=([^&]+)/)?.[1] ?? '';
}

function readNote(line: string): Noted[] {
  const [at, instance = '', event = '', method = '', target = ''] = line.split(' ');
  if (event !== 'start' && event !== 'executed' && event !== 'upgrade') return [];
  return [{ at: Number(at), instance, event, method, target }];
}
