import { ConfigError } from '../config/problem.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import { hostPort } from '../health/network-errors.ts';
import type { MysqlServerView, MysqlVipView } from '../mysql/view.ts';
import { loadHere } from './load.ts';

const FAILED = 1;
const ANSWER_WITHIN_MS = 5_000;

/** Listening on these is listening everywhere; they are no address to connect to. */
const EVERYWHERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/**
 * Asks the Vane that runs with this configuration what its `mysql-vip` sections do, and prints it, for people or as the
 * JSON it was told in. Resolves to the exit code.
 */
export async function mysqlVipStatus(path: string, options: { readonly json?: true }): Promise<number> {
  try {
    const { global } = await loadHere(path);
    if (!global.stats) throw new VaneError('CONFIG_INVALID', `${path} says stats: off: nobody can be asked`);
    const { host, port } = global.stats.bind;
    const vips = await ask(`http://${hostPort(EVERYWHERE.get(host) ?? host, port)}/mysql-vip`);
    if (options.json) console.log(JSON.stringify(vips, null, 2));
    else console.log(vips.map(describe).join('\n\n') || 'no mysql-vip');
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `No status: ${messageOf(error)}`);
    return FAILED;
  }
}

async function ask(url: string): Promise<readonly MysqlVipView[]> {
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new VaneError('CONNECT_FAILED', `${url} does not answer: ${messageOf(cause)}`, { cause: error });
  }
  if (!answer.ok) throw new VaneError('UPSTREAM_PROTOCOL', `${url} answers ${answer.status}: is it Vane?`);
  return (await answer.json()) as readonly MysqlVipView[];
}

function describe(vip: MysqlVipView): string {
  const { name, phase, target, epoch, age, reason, waitsFor, servers, alarms, held, sessions } = vip;
  const leads = target === undefined ? 'leads nowhere' : `leads to ${target}`;
  const width = (read: (server: MysqlServerView) => string) =>
    Math.max(...servers.map((server) => read(server).length));
  const [ids, addresses] = [width(({ id }) => id), width(({ address }) => address)];
  return [
    `${name}: ${phase}, ${leads}, epoch ${epoch}, for ${seconds(age)}: ${reason}`,
    ...(waitsFor === undefined ? [] : [`  not back to the master yet: ${waitsFor}`]),
    ...servers.map((server) => {
      const { id, role, address } = server;
      return `  ${id.padEnd(ids)}  ${role.padEnd(6)}  ${address.padEnd(addresses)}  ${condition(server)}`;
    }),
    `  ${sessions} sessions, ${held} of them held`,
    ...alarms.map(
      (alarm) => `  alarm ${'server' in alarm ? `${alarm.server} ` : ''}${alarm.kind}: ${alarm.why}`,
    ),
  ].join('\n');
}

function condition({ up, writable, staleness, sessions, trouble, role }: MysqlServerView): string {
  if (up !== true)
    return `${up === false ? 'down' : 'unknown'}${trouble === undefined ? '' : `: ${trouble}`}`;
  const behind = staleness === undefined ? 'does not replicate' : `${seconds(staleness)} behind`;
  const facts = ['up', writable ? 'takes writes' : 'read-only', ...(role === 'slave' ? [behind] : [])];
  return `${facts.join(', ')}; sessions: ${sessions.rw}, reading: ${sessions.ro}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
