import type { Order } from '../../mysql/failover/standing.ts';
import type { MysqlVipView, OrderAnswer } from '../../mysql/view.ts';
import { callerOf, isObject, type OperationsAnswer, said } from './operations.ts';

/** What is asked of the `mysql-vip` sections of the running process, and done with them. */
export interface MysqlOperations {
  readonly view: () => readonly MysqlVipView[];
  /** Undefined: there is no such section. */
  readonly order: (vip: string, order: Order, by: string, isDry: boolean) => Promise<OrderAnswer> | undefined;
}

const ORDERS = [
  ...[
    'switchover',
    'failback',
    'freeze',
    'unfreeze',
    'pause',
    'resume',
    'drain',
    'ready',
    'promote',
    'rejoin',
  ],
] as readonly Order['do'][];

/** Longest freeze with an end, ms: a month. */
const LONGEST_FREEZE = 31 * 86_400_000;

/**
 * `POST /mysql-vip?vip=NAME` with `{"order": "switchover", "server": "db2", "dryRun": true, "by": "alice"}`; further
 * `force` of `failback`, `again` of `promote`, and `time` of `freeze` in ms.
 */
export async function orderAnswer(
  operations: MysqlOperations,
  query: URLSearchParams,
  body: unknown,
  peer: string | undefined,
): Promise<OperationsAnswer> {
  const names = operations.view().map(({ name }) => name);
  const vip = query.get('vip') ?? (names.length === 1 ? names[0] : undefined);
  if (vip === undefined) return said(400, `Which mysql-vip? ?vip=${names.join(' or ')}`);
  const words = isObject(body) ? body : {};
  const order = orderOf(words);
  if (typeof order === 'string') return said(400, order);
  const answer = await operations.order(vip, order, callerOf(words.by, peer), words.dryRun === true);
  if (!answer) return said(404, `there is no such mysql-vip; there are ${names.join(', ') || 'none'}`);
  if ('refused' in answer) return said(409, answer.refused);
  return { status: 200, body: `${JSON.stringify(answer)}\n`, type: 'application/json' };
}

/** Or what is wrong with it. */
function orderOf(words: Record<string, unknown>): Order | string {
  const what = ORDERS.find((one) => one === words.order);
  const server = typeof words.server === 'string' && words.server !== '' ? words.server : undefined;
  switch (what) {
    case undefined:
      return `Expected {"order": …} with one of ${ORDERS.join(', ')}`;
    case 'switchover':
      return { do: what, to: server };
    case 'failback':
      return { do: what, force: words.force === true };
    case 'promote':
      return { do: what, to: server, again: words.again === true };
    case 'freeze':
      return freezeOf(words.time);
    case 'drain':
    case 'ready':
    case 'rejoin':
      return server === undefined ? 'Expected "server", the name of one' : { do: what, server };
    default:
      return { do: what };
  }
}

function freezeOf(time: unknown): Order | string {
  if (time === undefined) return { do: 'freeze', time };
  const isTime = typeof time === 'number' && time > 0 && time <= LONGEST_FREEZE;
  return isTime ? { do: 'freeze', time } : `Expected "time" in ms, ${LONGEST_FREEZE} at most`;
}
