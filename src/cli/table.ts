import { ConfigError } from '../config/problem.ts';
import type { TableView } from '../control/stick-tables.ts';
import { messageOf } from '../core/errors.ts';
import { askVane } from './ask.ts';
import { userName } from './server.ts';

const FAILED = 1;

export interface ShowOptions {
  readonly file: string;
  readonly key?: string;
  readonly server?: string;
  readonly limit: number;
  readonly json?: true;
}

export interface ClearOptions {
  readonly file: string;
  readonly key?: string;
  readonly server?: string;
  readonly all?: true;
}

/**
 * Prints the tables of the Vane that runs with this configuration, or the entries of one, as HAProxy's `show table` does
 * or as JSON. Resolves to the exit code.
 */
export function showTable(
  backend: string | undefined,
  { file, key, server, limit, json }: ShowOptions,
): Promise<number> {
  return told(async () => {
    const words = { backend, key, server, limit: String(limit) };
    const given = Object.entries(words).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const answer = await askVane(file, '/table', Object.fromEntries(given));
    if (json) return JSON.stringify(answer, null, 2);
    const tables = backend === undefined ? (answer as readonly TableView[]) : [answer as TableView];
    return tables.length === 0 ? 'no backend has a stick-table' : tables.flatMap(tableLines).join('\n');
  });
}

/** Has it forget entries. Resolves to the exit code. */
export function clearTable(backend: string, { file, key, server, all }: ClearOptions): Promise<number> {
  return told(async () => {
    const clear = all ? 'all' : { key, server };
    const answer = await askVane(file, '/table', { backend }, { clear, by: userName() });
    const { cleared } = answer as { readonly cleared: number };
    return `${backend}: ${cleared} ${cleared === 1 ? 'entry' : 'entries'} cleared`;
  });
}

async function told(text: () => Promise<string>): Promise<number> {
  try {
    console.log(await text());
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `Not done: ${messageOf(error)}`);
    return FAILED;
  }
}

function tableLines({ table, type, size, used, entries }: TableView): readonly string[] {
  return [
    `# table: ${table}, type: ${type}, size:${size}, used:${used}`,
    ...entries.map(
      ({ key, server, expiresIn }) => `key=${plain(key)} exp=${expiresIn ?? 'never'} server=${plain(server)}`,
    ),
  ];
}

/** Keys come from clients: nothing in them may move the cursor of a terminal, or look like another line. */
function plain(text: string): string {
  return text.replace(
    /[^\x21-\x7e]|\\/g,
    (one) => `\\x${(one.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}
