import { App } from '../app.ts';
import type { ConfigChange } from '../config/diff.ts';
import { ConfigError } from '../config/problem.ts';
import type { RuntimeConfig } from '../config/runtime.ts';
import { systemClock } from '../core/clock.ts';
import { asVaneError, messageOf } from '../core/errors.ts';
import { hostPort } from '../health/network-errors.ts';
import { AccessLog } from '../observe/access-log.ts';
import { stdoutLines } from '../observe/line-output.ts';
import { LineRelay } from '../observe/line-relay.ts';
import { createLog, type ProcessLog } from '../observe/log.ts';
import { loadHere } from './load.ts';
import { openFilesLimit, withinOpenFiles } from './open-files.ts';
import { version } from './version.ts';

const FAILED = 1;
/** What a shell says of a process that SIGINT has ended. */
const INTERRUPTED = 130;
/** A terminal and npm may both pass on one Ctrl-C; one that comes later than this is a second one, ms. */
const SAME_INTERRUPT_MS = 500;
const FLUSH_WITHIN_MS = 1_000;

/** Signals that HAProxy and others reload or stop upon, and Vane does not. */
const FOREIGN_SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

/** Runs Vane until a signal ends it. Resolves to the exit code. */
export async function run(path: string): Promise<number> {
  // Before the file is read: a reload that is asked for from now on is of a later one.
  const signals = new Signals();
  try {
    return await runUntilStopped(path, signals);
  } finally {
    signals.release();
  }
}

async function runUntilStopped(path: string, signals: Signals): Promise<number> {
  let config: RuntimeConfig;
  try {
    config = await loadHere(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return FAILED;
  }
  const output = stdoutLines();
  const log = createLog(config.global.log, output);
  const access = new AccessLog(output);
  const relay = new LineRelay(output, systemClock);
  process.on('uncaughtException', (error) => void giveUp(log, error));
  for (const name of FOREIGN_SIGNALS)
    process.on(name, (signal) => log.warn({ signal }, 'signal ignored: HUP reloads, TERM stops'));
  let code = 0;
  try {
    const openFiles = openFilesLimit();
    const app = await App.start(withinOpenFiles(config, openFiles, log), {
      version: version(),
      log,
      access: (entry) => access.write(entry),
      accessDropped: () => access.dropped,
      workerOutput: (stdout) => relay.take(stdout),
    });
    const listening = app.ports.frontends.map(
      ({ frontend, bind, port }) => `${frontend} ${hostPort(bind.host, port)}`,
    );
    log.info({ version: version(), pid: process.pid, node: process.version, listening }, 'vane is ready');
    await obey(signals, app, path, openFiles, log);
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

/** Reloads at every HUP, and returns once a TERM or INT has stopped everything. */
async function obey(
  signals: Signals,
  app: App,
  path: string,
  openFiles: number | undefined,
  log: ProcessLog,
): Promise<void> {
  for (;;) {
    const signal = await signals.next();
    if (signal !== 'SIGHUP') {
      log.info({ signal }, 'stopping');
      return app.stop();
    }
    await reload(app, path, openFiles, log);
  }
}

async function reload(app: App, path: string, openFiles: number | undefined, log: ProcessLog): Promise<void> {
  let next: RuntimeConfig;
  try {
    next = await loadHere(path);
  } catch (error) {
    app.refused();
    const problems = error instanceof ConfigError ? error.message.split('\n') : [messageOf(error)];
    log.error({ problems }, 'configuration not taken: it has problems');
    return;
  }
  try {
    const changes = await app.reload(withinOpenFiles(next, openFiles, log));
    log.configure(next.global.log);
    for (const change of changes) {
      if (change.kind === 'needs-restart')
        log.warn({ setting: change.path }, 'setting needs a restart to change');
    }
    log.info({ changes: changes.map(describe) }, 'configuration taken');
  } catch (error) {
    log.error({ error: messageOf(error) }, 'configuration not taken');
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

/** The signals this process has been sent and has not acted on yet. */
class Signals {
  static readonly #HEARD = ['SIGHUP', 'SIGTERM', 'SIGINT'] as const;
  #pending: NodeJS.Signals[] = [];
  #wake: (() => void) | undefined;
  #stoppingSince: number | undefined;
  readonly #hear = (signal: NodeJS.Signals) => this.#heard(signal);

  constructor() {
    for (const signal of Signals.#HEARD) process.on(signal, this.#hear);
  }

  /** Waits for the next signal. A stop goes before reloads, of which many are one. */
  async next(): Promise<NodeJS.Signals> {
    while (this.#pending.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const stop = this.#pending.find((signal) => signal !== 'SIGHUP');
    this.#pending = [];
    return stop ?? 'SIGHUP';
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
    if (signal !== 'SIGHUP') this.#stoppingSince ??= now;
    this.#pending.push(signal);
    this.#wake?.();
  }
}
