import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/duration.ts';
import type { OrderOptions } from './mysql-vip.ts';

type File = readonly [string, string];

/** An order as it is typed: its description, and what may be said with it. */
interface Typed {
  readonly what: string;
  readonly server?: 'required' | 'optional';
  readonly flag?: readonly [string, string, string];
}

const ORDERS: Readonly<Record<string, Typed>> = {
  switchover: {
    what: 'lead clients to a slave, which mode promote makes the master before; without SERVER to the best',
    server: 'optional',
  },
  failback: {
    what: 'lead clients back to the master',
    flag: ['--force', 'also while the slave does not replicate', 'force'],
  },
  unfreeze: { what: 'end freeze' },
  pause: { what: 'hold new clients' },
  resume: { what: 'end pause' },
  drain: { what: 'do not use a slave', server: 'required' },
  ready: { what: 'end drain', server: 'required' },
  promote: {
    what: 'make a slave the master in place of one that is dead',
    server: 'optional',
    flag: ['--again', 'although there has just been a promotion', 'again'],
  },
  rejoin: { what: 'have a master of before be a slave', server: 'required' },
};

/** `vane mysql-vip …`. @param exit takes the exit code */
export function addMysqlVipCommands(program: Command, file: File, exit: (code: number) => void): void {
  const vips = program
    .command('mysql-vip')
    .description('ask and tell a running vane about its mysql-vip sections');
  vips
    .command('status')
    .description('say where each leads, and what is known of its servers')
    .requiredOption(...file)
    .option('--json', 'as JSON')
    .action(async (options: { file: string; json?: true }) => {
      const { mysqlVipStatus } = await import('./mysql-vip.ts');
      exit(await mysqlVipStatus(options.file, options));
    });
  const addOrder = (order: string, { what, server, flag }: Typed) => {
    const command = vips
      .command(order)
      .description(what)
      .requiredOption(...file);
    if (server) command.argument(server === 'required' ? '<server>' : '[server]');
    command.option('--vip <name>', 'which section; needed where there are several');
    command.option('--dry-run', 'only say what would be done');
    if (flag) command.option(flag[0], flag[1]);
    return command;
  };
  const tell = async (words: { order: string; [key: string]: unknown }, options: OrderOptions) => {
    const { mysqlVipOrder } = await import('./mysql-vip.ts');
    exit(await mysqlVipOrder(words, options));
  };
  for (const [order, typed] of Object.entries(ORDERS)) {
    const command = addOrder(order, typed);
    command.action(async () => {
      const options = command.opts<OrderOptions & Record<string, unknown>>();
      const [, , key] = typed.flag ?? [];
      const said = key === undefined ? {} : { [key]: options[key] };
      await tell({ order, server: command.args[0], ...said }, options);
    });
  }
  addOrder('freeze', { what: 'lead nobody elsewhere' })
    .option('--for <time>', 'such as 30m; without it until unfreeze', durationOf)
    .action((options: OrderOptions & { for?: number }) =>
      tell({ order: 'freeze', time: options.for }, options),
    );
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms.ok && ms.value > 0) return ms.value;
  throw new InvalidArgumentError(ms.ok ? 'That is no time at all.' : ms.message);
}
