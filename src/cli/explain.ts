import { styleText } from 'node:util';
import { ConfigError } from '../config/problem.ts';
import type { BackendExplanation } from '../control/explain.ts';
import { messageOf } from '../core/errors.ts';
import { askVane } from './ask.ts';
import { backendText, type Paint, serverText } from './explanation-text.ts';

const FAILED = 1;

const STYLES = { bad: 'red', good: 'green', quiet: 'gray' } as const;

/** Colors where standard output is a terminal that has them; see `util.styleText`. */
const paint: Paint = (kind, text) => styleText(STYLES[kind], text, { stream: process.stdout });

/**
 * Asks the Vane that runs with this configuration why the servers of a backend are in or out, and prints it, for people
 * or as the JSON it was told in. Resolves to the exit code.
 */
export async function explain(
  backend: string,
  server: string | undefined,
  { file, json }: { readonly file: string; readonly json?: true },
): Promise<number> {
  try {
    const query = { backend, ...(server === undefined ? {} : { server }) };
    const told = (await askVane(file, '/explain', query)) as BackendExplanation;
    if (json) console.log(JSON.stringify(told, null, 2));
    else console.log(server === undefined ? backendText(told, paint) : serverText(told, paint));
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `No explanation: ${messageOf(error)}`);
    return FAILED;
  }
}
