import type { Bench, Target } from '../bench.ts';
import type { LoadResult } from '../load/result.ts';
import { type WrkLoad, wrkCommand, wrkResult } from '../load/wrk.ts';
import { BENCH } from '../paths.ts';
import { usageOf } from '../proc.ts';
import type { Sample } from './scenario.ts';

/** How much longer than its time a generator may take, to start and to end. */
export const MARGIN_MS = 10_000;

/** Runs a load and reads what it cost the proxy. */
export async function underLoad(target: Target, load: () => Promise<LoadResult>): Promise<Sample> {
  const before = usageOf(target.running.pid);
  const result = await load();
  const after = usageOf(target.running.pid);
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    perSecond: result.done / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    ...(cpuSeconds > 0 ? { perCpuSecond: result.done / cpuSeconds } : {}),
    cpuShare: cpuSeconds / result.seconds,
    rssBytes: after.rssBytes,
    errors: result.errors,
  };
}

export async function wrk(target: Target, bench: Bench, seconds: number, load: WrkLoad): Promise<LoadResult> {
  const command = wrkCommand(load, target.port, seconds, bench.folder);
  const limit = seconds * 1000 + MARGIN_MS;
  return wrkResult(await bench.processes.run({ ...command, cores: bench.cores.load }, limit));
}

/** Runs one of the programs of bench/load to its end and answers with what it printed. */
export function runProgram(
  bench: Bench,
  program: string,
  args: readonly (string | number)[],
  seconds: number,
): Promise<string> {
  const command = {
    program: bench.node,
    args: [`${BENCH}load/${program}`, ...args.map(String)],
    cores: bench.cores.load,
  };
  return bench.processes.run(command, seconds * 1000 + MARGIN_MS);
}

/** The same for a program that prints a LoadResult. */
export async function runLoad(
  bench: Bench,
  program: string,
  args: readonly (string | number)[],
  seconds: number,
): Promise<LoadResult> {
  return JSON.parse(await runProgram(bench, program, args, seconds)) as LoadResult;
}
