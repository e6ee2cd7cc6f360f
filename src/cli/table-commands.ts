import { type Command, InvalidArgumentError } from 'commander';
import type { ClearOptions, ShowOptions } from './table.ts';

type File = readonly [flags: string, description: string];

const KEY = ['--key <key>', 'the entry of this key'] as const;
const SERVER = ['--server <name>', 'entries of this server; its address with srvkey addr'] as const;

/** `vane table show` and `vane table clear`. @param exit takes the exit code */
export function addTableCommands(program: Command, file: File, exit: (code: number) => void): void {
  const tables = program
    .command('table')
    .description('ask a running vane about its stick tables: which client is with which server');
  tables
    .command('show')
    .description('list the tables, or the entries of one that were used last')
    .argument('[backend]', 'whose table it is')
    .requiredOption(...file)
    .option(...KEY)
    .option(...SERVER)
    .option('--limit <number>', 'entries at most, up to 10000', numberOf, 100)
    .option('--json', 'as JSON')
    .action(async (backend: string | undefined, options: ShowOptions) => {
      const { showTable } = await import('./table.ts');
      exit(await showTable(backend, options));
    });
  const clear = tables
    .command('clear')
    .description('have clients be given a server anew: forget entries of a table')
    .argument('<backend>', 'whose table it is')
    .requiredOption(...file)
    .option(...KEY)
    .option(...SERVER)
    .option('--all', 'all entries')
    .action(async (backend: string, options: ClearOptions) => {
      const some = options.key !== undefined || options.server !== undefined;
      if (some === (options.all ?? false)) clear.error('error: say which entries: --key, --server or --all');
      const { clearTable } = await import('./table.ts');
      exit(await clearTable(backend, options));
    });
}

function numberOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 10_000) return Number(text);
  throw new InvalidArgumentError('It is not a number up to 10000.');
}
