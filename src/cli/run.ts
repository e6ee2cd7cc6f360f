import { flushCompileCache } from 'node:module';
import type { ProcessPort } from '../api/consul/agent-process.ts';
import { App } from '../app.ts';
import type { ConfigChange } from '../config/diff.ts';
import { ConfigError } from '../config/problem.ts';
import type { RuntimeConfig } from '../config/runtime/config.ts';
import { systemClock } from '../core/clock.ts';
import { asVaneError, messageOf, VaneError } from '../core/errors.ts';
import { hostPort } from '../health/network-errors.ts';
import { AccessLog } from '../observe/access-log.ts';
import { stdoutLines } from '../observe/line-output.ts';
import { LineRelay } from '../observe/line-relay.ts';
import { createLog, type ProcessLog } from '../observe/log.ts';
import type { Definitions } from '../registry/sources/definitions.ts';
import { type Configuration, openConfiguration } from './configuration/configuration.ts';
import { definitionsHere } from './configuration/here.ts';
import { openFilesLimit, withinOpenFiles } from './open-files.ts';
import { writePidFile } from './pid-file.ts';
import { version } from './version.ts';

const GOOD = 0;
const FAILED = 1;
/** What a shell says of a process that SIGINT has ended. */
const INTERRUPTED = 130;
/** A terminal and npm may both pass on one Ctrl-C; one that comes later than this is a second one, ms. */
const SAME_INTERRUPT_MS = 500;
const FLUSH_WITHIN_MS = 1_000;

/** A signal that HAProxy stops upon, and Vane does not. */
const FOREIGN_SIGNAL = 'SIGUSR1';

/** Runs Vane until a signal ends it. Resolves to the exit code. */
export async function run(path: string): Promise<number> {
  // For the next start, also if this one does not end by itself.
  flushCompileCache();
  // Before the file is read: a reload that is asked for from now on is of a later one.
  const signals = new Signals();
  let configuration: Configuration | undefined;
  try {
    configuration = openConfiguration(path);
    const config = await Promise.race([configuration.load(), signals.stopAsked]);
    if (!config) return GOOD;
    const definitions = await definitionsHere(config);
    return await runUntilStopped(config, definitions, configuration, signals);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return FAILED;
  } finally {
    configuration?.close();
    signals.release();
  }
}

async function runUntilStopped(
  config: RuntimeConfig,
  definitions: Definitions,
  configuration: Configuration,
  signals: Signals,
): Promise<number> {
  const output = stdoutLines();
  const log = createLog(config.global.log, output);
  const access = new AccessLog(output);
  const relay = new LineRelay(output, systemClock);
  process.on('uncaughtException', (error) => void giveUp(log, error));
  process.on(FOREIGN_SIGNAL, (signal) => log.warn({ signal }, 'signal ignored: HUP reloads, TERM stops'));
  let code = GOOD;
  try {
    const openFiles = openFilesLimit();
    const app = await App.start(withinOpenFiles(config, openFiles, log), {
      version: version(),
      log,
      access: (entry) => access.write(entry),
      accessDropped: () => access.dropped,
      workerOutput: (stdout) => relay.take(stdout),
      process: signals,
      definitions,
    });
    await announce(config.global.pidfile, app);
    const { frontends, mysqlVips } = app.ports;
    const listening = [
      ...frontends.map(({ frontend, bind, port }) => `${frontend} ${hostPort(bind.host, port)}`),
      ...mysqlVips.map(({ vip, side, bind, port }) => `${vip} (${side}) ${hostPort(bind.host, port)}`),
    ];
    log.info({ version: version(), pid: process.pid, node: process.version, listening }, 'vane is ready');
    await configuration.taken(log);
    configuration.follow(log, () => signals.changed());
    await obey(signals, app, configuration, openFiles, log);
    log.info({}, 'vane has stopped');
  } catch (error) {
    const { code: reason, message } = asVaneError(error);
    log.error({ code: reason, error: message }, 'vane cannot run');
    code = FAILED;
  }
  const deadline = systemClock.now() + FLUSH_WITHIN_MS;
  await relay.flush(deadline);
  await access.flush(deadline);
  await log.flush(deadline);
  // What a reader that has stalled has not taken by now is lost: waiting for it, the process would never end.
  if (output.pending > 0) process.exit(code);
  return code;
}

/** Says which process it is to those who look for it in a file; one that cannot does not go on. */
async function announce(pidfile: string | undefined, app: App): Promise<void> {
  if (pidfile === undefined) return;
  try {
    writePidFile(pidfile);
  } catch (error) {
    await app.stop();
    throw error;
  }
}

/** Reloads at every HUP, replaces workers at every USR2, and returns once a TERM or INT has stopped everything. */
async function obey(
  signals: Signals,
  app: App,
  configuration: Configuration,
  openFiles: number | undefined,
  log: ProcessLog,
): Promise<void> {
  for (;;) {
    const signal = await signals.next();
    if (signal === 'SIGHUP') {
      const answer = signals.takeAsked();
      answer(await reload(app, configuration, openFiles, log));
    }
    // Not waited for: what is replaced may take long to end, and that keeps nothing else from being done.
    else if (signal === 'SIGUSR2') void app.replaceWorkers();
    else {
      log.info({ signal }, 'stopping');
      signals.takeAsked()('Vane is stopping');
      return app.stop();
    }
  }
}

/** Resolves to what is wrong with the configuration, if anything is. */
async function reload(
  app: App,
  configuration: Configuration,
  openFiles: number | undefined,
  log: ProcessLog,
): Promise<string | undefined> {
  let next: RuntimeConfig;
  let definitions: Definitions;
  try {
    next = await configuration.load();
    definitions = await definitionsHere(next);
  } catch (error) {
    app.refused();
    const problems = error instanceof ConfigError ? error.message.split('\n') : [messageOf(error)];
    log.error({ problems }, 'configuration not taken: it has problems');
    return problems.join('\n');
  }
  try {
    const changes = await app.reload(withinOpenFiles(next, openFiles, log), definitions);
    log.configure(next.global.log);
    for (const change of changes) {
      if (change.kind === 'needs-restart')
        log.warn({ setting: change.path }, 'setting needs a restart to change');
    }
    log.info({ changes: changes.map(describe) }, 'configuration taken');
    await configuration.taken(log);
    return undefined;
  } catch (error) {
    log.error({ error: messageOf(error) }, 'configuration not taken');
    return messageOf(error);
  }
}

function describe(change: ConfigChange): string {
  return 'path' in change
    ? `${change.kind} ${change.path}`
    : `${change.kind} ${change.section}.${change.name}`;
}

/** A fault in Vane itself: it says so and ends, for what it holds can no longer be trusted. */
async function giveUp(log: ProcessLog, error: Error): Promise<void> {
  log.error({ error: error.stack ?? messageOf(error) }, 'vane has failed and ends');
  await log.flush(systemClock.now() + FLUSH_WITHIN_MS);
  process.exit(FAILED);
}

/** The signals this process has been sent and has not acted on yet; clients of the registry's API send some, too. */
class Signals implements ProcessPort {
  static readonly #HEARD = ['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGINT'] as const;
  readonly #pending = new Set<NodeJS.Signals>();
  readonly #stopAsked = Promise.withResolvers<void>();
  #wake: (() => void) | undefined;
  #stoppingSince: number | undefined;
  /** Told what came of the reload that they asked for. */
  #asked: ((problem: string | undefined) => void)[] = [];
  readonly #hear = (signal: NodeJS.Signals) => this.#heard(signal);

  constructor() {
    for (const signal of Signals.#HEARD) process.on(signal, this.#hear);
  }

  /** Resolves once it is told to stop. */
  get stopAsked(): Promise<void> {
    return this.#stopAsked.promise;
  }

  /** Waits for the next signal. A stop goes before all else; many of one kind are one. */
  async next(): Promise<NodeJS.Signals> {
    for (;;) {
      const next = [...this.#pending].find(isStop) ?? [...this.#pending][0];
      if (next !== undefined) {
        this.#pending.delete(next);
        return next;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** As a HUP. */
  async reload(): Promise<void> {
    if (this.#stoppingSince !== undefined) throw new VaneError('STOPPING', 'Vane is stopping');
    await new Promise<void>((resolve, reject) => {
      this.#asked.push((problem) => {
        if (problem === undefined) resolve();
        else reject(new VaneError('CONFIG_INVALID', problem));
      });
      this.#heard('SIGHUP');
    });
  }

  /** As a HUP that nobody waits for: there is another configuration. */
  changed(): void {
    this.#heard('SIGHUP');
  }

  /** As a TERM. */
  leave(): void {
    this.#heard('SIGTERM');
  }

  /** To be called as a reload begins: what it answers tells everybody who asked until now. */
  takeAsked(): (problem: string | undefined) => void {
    const asked = this.#asked;
    this.#asked = [];
    return (problem) => {
      for (const tell of asked) tell(problem);
    };
  }

  release(): void {
    for (const signal of Signals.#HEARD) process.off(signal, this.#hear);
  }

  #heard(signal: NodeJS.Signals): void {
    const now = systemClock.now();
    if (
      signal === 'SIGINT' &&
      this.#stoppingSince !== undefined &&
      now - this.#stoppingSince > SAME_INTERRUPT_MS
    ) {
      process.exit(INTERRUPTED);
    }
    if (isStop(signal)) {
      this.#stoppingSince ??= now;
      this.#stopAsked.resolve();
    }
    this.#pending.add(signal);
    this.#wake?.();
  }
}

function isStop(signal: NodeJS.Signals): boolean {
  return signal === 'SIGTERM' || signal === 'SIGINT';
}
