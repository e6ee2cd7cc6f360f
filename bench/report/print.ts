import type { Outcome } from '../measure.ts';
import { verdicts } from './bars.ts';
import { type Run, wasBusy } from './run.ts';
import { plain, scenarioTable, verdictTable } from './table.ts';

/** One scenario on the terminal, as soon as it is done. */
export function printOutcome(outcome: Outcome): void {
  console.log(`\n== ${outcome.scenario.title}\n${plain(scenarioTable(outcome))}`);
}

/** What stands at the end: the bars, and what to hold against the figures. */
export function printRun(run: Run): void {
  const all = verdicts(run.outcomes);
  console.log(`\n== Bars\n${plain(verdictTable(all))}`);
  const failed = all.filter(({ verdict }) => verdict === 'FAIL').length;
  const passed = all.filter(({ verdict }) => verdict === 'pass').length;
  console.log(`\n${passed} bars reached, ${failed} missed, ${all.length - passed - failed} not measured`);
  for (const reason of run.leftOut) console.log(`Not measured: ${reason}`);
  if (wasBusy(run)) {
    console.log(
      `The machine was busy (load ${run.machine.loadBefore.toFixed(2)}): figures are worth little.`,
    );
  }
}

/** A line that is overwritten by the next one; on something that is no terminal a line each. */
export function progressLine(text: string): void {
  if (!process.stderr.isTTY) return void process.stderr.write(`${text}\n`);
  process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

/** Takes the progress line away, for what is to stay. */
export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
