import { ConfigError } from '../config/problem.ts';
import { messageOf } from '../core/errors.ts';
import type { MysqlServerView, MysqlVipView } from '../mysql/view.ts';
import { askVane } from './ask.ts';
import { userName } from './server.ts';

const FAILED = 1;

/**
 * Asks the Vane that runs with this configuration what its `mysql-vip` sections do, and prints it, for people or as the
 * JSON it was told in. Resolves to the exit code.
 */
export async function mysqlVipStatus(path: string, options: { readonly json?: true }): Promise<number> {
  try {
    const vips = (await askVane(path, '/mysql-vip', {})) as readonly MysqlVipView[];
    if (options.json) console.log(JSON.stringify(vips, null, 2));
    else console.log(vips.map(describe).join('\n\n') || 'no mysql-vip');
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `No status: ${messageOf(error)}`);
    return FAILED;
  }
}

export interface OrderOptions {
  readonly file: string;
  readonly vip?: string;
  readonly dryRun?: true;
}

/**
 * Tells the Vane that runs with this configuration what to do with a `mysql-vip`. Resolves to the exit code.
 * @param words of the order, as the API takes them
 */
export async function mysqlVipOrder(
  words: { readonly order: string } & Readonly<Record<string, unknown>>,
  { file, vip, dryRun }: OrderOptions,
): Promise<number> {
  try {
    const body = { ...words, dryRun, by: userName() };
    const answer = (await askVane(file, '/mysql-vip', vip === undefined ? {} : { vip }, body)) as {
      readonly will: string;
    };
    console.log(`${words.order}${dryRun ? ' would be done' : ''}: ${answer.will}`);
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `Not done: ${messageOf(error)}`);
    return FAILED;
  }
}

function describe(vip: MysqlVipView): string {
  const { name, phase, target, age, reason, waitsFor, servers, alarms, held, sessions } = vip;
  const leads = target === undefined ? 'leads nowhere' : `leads to ${target}`;
  const width = (read: (server: MysqlServerView) => string) =>
    Math.max(...servers.map((server) => read(server).length));
  const [ids, addresses] = [width(({ id }) => id), width(({ address }) => address)];
  return [
    `${name}: ${phase}, ${leads}, ${epochWords(vip)}, for ${seconds(age)}: ${reason}`,
    ...(waitsFor === undefined ? [] : [`  not back to the master yet: ${waitsFor}`]),
    ...servers.map((server) => {
      const { id, role, address } = server;
      return `  ${id.padEnd(ids)}  ${role.padEnd(6)}  ${address.padEnd(addresses)}  ${condition(server)}`;
    }),
    ...standing(vip),
    `  ${sessions} sessions, ${held} of them held`,
    ...alarms.map(
      (alarm) => `  alarm ${'server' in alarm ? `${alarm.server} ` : ''}${alarm.kind}: ${alarm.why}`,
    ),
  ].join('\n');
}

function epochWords({ epoch, lead }: MysqlVipView): string {
  if (lead === undefined) return `epoch ${epoch}`;
  const who = { self: 'decided here', other: 'decided by another Vane', nobody: 'decided by nobody for all' };
  return `${epoch === undefined ? 'no epoch' : `epoch ${epoch}`} (${who[lead]})`;
}

function standing({ paused, frozenFor, demoted }: MysqlVipView): readonly string[] {
  return [
    ...(paused ? ['  paused: new clients are held'] : []),
    ...(frozenFor === undefined
      ? []
      : [`  frozen${frozenFor === 'ever' ? ', until unfreeze' : ` for ${seconds(frozenFor)}`}`]),
    ...(demoted === undefined ? [] : [`  ${demoted} was the master, and has not joined again`]),
  ];
}

function condition(server: MysqlServerView): string {
  const { up, writable, staleness, sessions, trouble, role, drained } = server;
  if (up !== true)
    return `${up === false ? 'down' : 'unknown'}${trouble === undefined ? '' : `: ${trouble}`}`;
  const behind = staleness === undefined ? 'does not replicate' : `${seconds(staleness)} behind`;
  const facts = ['up', writable ? 'takes writes' : 'read-only', ...(role === 'slave' ? [behind] : [])];
  if (drained) facts.push('drained');
  return `${facts.join(', ')}; sessions: ${sessions.rw}, reading: ${sessions.ro}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
