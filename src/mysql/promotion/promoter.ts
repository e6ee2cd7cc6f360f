import type { MysqlPromoteConfig } from '../../config/runtime/mysql-vips.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Server } from '../endpoint/site.ts';
import { ControlSession } from './control-session.ts';
import { type HookFacts, type HooksOptions, runHook } from './hooks.ts';

export interface PromotionTask {
  readonly facts: HookFacts;
  readonly planned: boolean;
  readonly from: Server;
  readonly to: Server;
  /** The other slaves. */
  readonly others: readonly Server[];
}

export interface PromoterOptions {
  readonly config: MysqlPromoteConfig;
  readonly clock: Clock;
  readonly onHook: HooksOptions['onRun'];
  /** Something went wrong that changes nothing about the promotion. */
  readonly onTrouble: (message: string) => void;
  /** Resolves when clients have left the master. */
  readonly left: () => Promise<void>;
  /** Why it may not go on, asked right before it cannot be taken back; undefined: it may. */
  readonly objection: () => string | undefined;
}

/**
 * Makes a slave the master, by its hooks and by SQL. Resolves when it takes writes, and tells whether the master of
 * before follows it. Rejects with why it was not done: then the slave is a slave still, or nobody can tell.
 */
export async function promote(
  task: PromotionTask,
  options: PromoterOptions,
): Promise<{ isFollowed: boolean }> {
  const { config, clock, onHook, onTrouble } = options;
  const hooks: HooksOptions = { hooks: config.hooks, timeout: config.hookTimeout, clock, onRun: onHook };
  try {
    await runHook('pre', task.facts, hooks);
    await (task.planned ? handOver(task, options, hooks) : replace(task, options, hooks));
  } catch (error) {
    await runHook('failed', task.facts, hooks).catch((failed) => onTrouble(messageOf(failed)));
    throw error;
  }
  const isFollowed = task.planned && (await follow(task.from, task.to, options));
  for (const other of task.others) await follow(other, task.to, options);
  await runHook('post', task.facts, hooks).catch((error) => onTrouble(messageOf(error)));
  return { isFollowed };
}

/** In place of a master that is dead. */
async function replace(task: PromotionTask, options: PromoterOptions, hooks: HooksOptions): Promise<void> {
  const { config } = options;
  // Where none is required there may be one.
  await runHook('fence', task.facts, hooks);
  const slave = await open(task.to, options);
  try {
    // From now on not even a master that is not dead after all can add to what there is.
    const received = await slave.stopReceiving();
    try {
      if (!(await slave.hasExecuted(received, config.applyWait))) {
        throw new VaneError('UPSTREAM_TIMEOUT', `${task.to.id} has not executed all that it has received`);
      }
      object(options);
    } catch (error) {
      await slave.receiveAgain();
      throw error;
    }
    await takeOver(slave, task, hooks);
  } finally {
    slave.end();
  }
}

/** From a master that works: when it takes no writes any more, and the slave has them all. */
async function handOver(task: PromotionTask, options: PromoterOptions, hooks: HooksOptions): Promise<void> {
  const { config } = options;
  const slave = await open(task.to, options);
  const master = await open(task.from, options).catch((error) => {
    slave.end();
    throw error;
  });
  try {
    await options.left();
    try {
      await master.setReadOnly();
      const position = await master.position();
      if (!(await slave.hasExecuted(position, config.applyWait))) {
        throw new VaneError('UPSTREAM_TIMEOUT', `${task.to.id} has not caught up`);
      }
      object(options);
    } catch (error) {
      await master.setWritable();
      throw error;
    }
    try {
      await takeOver(slave, task, hooks);
    } catch (error) {
      // Only where the slave is known to have stayed one: its session answers in order, so nothing is under way.
      if (await slave.isReadOnly().catch(() => false)) await master.setWritable();
      throw error;
    }
  } finally {
    slave.end();
    master.end();
  }
}

async function takeOver(
  slave: ControlSession,
  { facts, to }: PromotionTask,
  hooks: HooksOptions,
): Promise<void> {
  if (hooks.hooks.promote) await runHook('promote', facts, hooks);
  else await slave.becomeMaster();
  if (await slave.isReadOnly()) {
    throw new VaneError('UPSTREAM_STATUS', `${to.id} is still read-only`);
  }
}

/** Makes a server a slave of another, where there is an account to do so; tells whether it is one now. */
async function follow(server: Server, master: Server, options: PromoterOptions): Promise<boolean> {
  const { config, clock, onTrouble } = options;
  try {
    return await makeSlave(server, master, config, clock);
  } catch (error) {
    onTrouble(`${server.id} could not be made a slave of ${master.id}: ${messageOf(error)}`);
    return false;
  }
}

/** False: there is no account to do so. Rejects with what the server says. */
export async function makeSlave(
  server: Server,
  { host, port }: Server,
  config: MysqlPromoteConfig,
  clock: Clock,
): Promise<boolean> {
  const { replication } = config;
  if (!replication) return false;
  const session = await open(server, { config, clock });
  try {
    await session.follow({ host, port, ...replication });
    return true;
  } finally {
    session.end();
  }
}

/** Keeps a server from taking writes. */
export async function fence(server: Server, config: MysqlPromoteConfig, clock: Clock): Promise<void> {
  const session = await open(server, { config, clock });
  try {
    await session.setReadOnly();
  } finally {
    session.end();
  }
}

function object({ objection }: PromoterOptions): void {
  const why = objection();
  if (why !== undefined) throw new VaneError('INTERNAL', why);
}

function open({ host, port }: Server, { config, clock }: Pick<PromoterOptions, 'config' | 'clock'>) {
  const { user, password } = config;
  return ControlSession.open({ host, port, user, password }, clock);
}
