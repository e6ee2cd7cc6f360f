import type { MysqlHook, MysqlHooks } from '../../config/runtime/mysql-vips.ts';
import { type Clock, sleep } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import { capturedTail, Tail } from '../../health/output.ts';
import { runProgram } from '../../health/script.ts';

/** What a program is told of what it is run for. */
export interface HookFacts {
  readonly name: string;
  readonly event: 'promotion' | 'switchover';
  readonly epoch: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** As far as each was known to be. */
  readonly gtidFrom: string;
  readonly gtidTo: string;
}

export type HookResult = 'ok' | 'failed';

export interface HooksOptions {
  readonly hooks: MysqlHooks;
  /** Of one, ms. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly onRun: (hook: MysqlHook, result: HookResult, ms: number) => void;
}

const OUTPUT_BYTES = 1_024;

/**
 * Runs the program of a step, if there is one: without a shell, with `VIP_…` in its environment. Rejects when it does
 * not end with 0 in time, with the last it has said.
 */
export async function runHook(
  hook: MysqlHook,
  facts: HookFacts,
  { hooks, timeout, clock, onRun }: HooksOptions,
): Promise<void> {
  const [command, ...args] = hooks[hook] ?? [];
  if (command === undefined) return;
  const begun = clock.now();
  const output = new Tail(OUTPUT_BYTES);
  const [limit, done] = [new AbortController(), new AbortController()];
  sleep(clock, timeout, done.signal).then(
    () => limit.abort(new Error('too late')),
    () => {},
  );
  const ended = await runProgram(command, args, output, limit.signal, environmentOf(facts));
  done.abort(new Error('done'));
  const isGood = 'code' in ended && ended.code === 0;
  onRun(hook, isGood ? 'ok' : 'failed', clock.now() - begun);
  if (isGood) return;
  const how = limit.signal.aborted
    ? `did not end within ${timeout / 1000} s`
    : 'error' in ended
      ? ended.error.message
      : `ended with ${ended.code ?? 'a signal'}`;
  const said = capturedTail(output).trim();
  throw new VaneError('INTERNAL', `hook ${hook} ${how}${said && `: ${said}`}`);
}

function environmentOf(facts: HookFacts): NodeJS.ProcessEnv {
  const { name, event, epoch, from, to, reason, gtidFrom, gtidTo } = facts;
  return {
    VIP_NAME: name,
    VIP_EVENT: event,
    VIP_EPOCH: String(epoch),
    VIP_FROM: from,
    VIP_TO: to,
    VIP_REASON: reason,
    VIP_GTID_FROM: gtidFrom,
    VIP_GTID_TO: gtidTo,
  };
}
