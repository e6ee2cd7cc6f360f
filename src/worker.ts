import { flushCompileCache } from 'node:module';
import { systemClock } from './core/clock.ts';
import { messageOf } from './core/errors.ts';
import type { Log } from './core/log.ts';
import { AccessLog } from './observe/access-log.ts';
import { stdoutLines } from './observe/line-output.ts';
import { createLog } from './observe/log.ts';
import { Plane } from './proxy/plane/plane.ts';
import { PROTOCOL, WorkerChannel } from './proxy/plane/worker-channel.ts';

/**
 * A worker process: one data plane, and the line to the control process that has forked it. Whatever it does, it has
 * been told to; its lines go to standard output, which the control process reads.
 */

const FLUSH_WITHIN_MS = 1_000;

const output = stdoutLines();
const lines = createLog({ level: 'info', format: 'json' }, output);
const access = new AccessLog(output);
let worker = 0;

const log: Log = {
  debug: (fields, message) => lines.debug({ worker, ...fields }, message),
  info: (fields, message) => lines.info({ worker, ...fields }, message),
  warn: (fields, message) => lines.warn({ worker, ...fields }, message),
  error: (fields, message) => lines.error({ worker, ...fields }, message),
};

process.on('uncaughtException', (error) => {
  log.error({ error: error.stack ?? messageOf(error) }, 'worker has failed and ends');
  void end(1);
});
// A terminal sends them to everybody; whether they mean anything is for the control process to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
  process.on(signal, () => {
    if (!process.connected && (signal === 'SIGINT' || signal === 'SIGTERM')) void end(0);
  });
}

// Vane was replaced on disk since the control process began, and is too different now.
if (process.argv[2] !== PROTOCOL) {
  log.error({ pid: process.pid }, 'worker is of a version that the running one cannot use: restart Vane');
  await end(1);
}

// For the next start, also if this one does not end by itself.
flushCompileCache();

const channel = new WorkerChannel({
  process,
  settings: (settings) => {
    worker = settings.worker;
    lines.configure(settings.log);
  },
  accessDropped: () => access.dropped,
  over: () => void end(0),
});
new Plane({
  channel,
  clock: systemClock,
  random: Math.random,
  log,
  access: (entry) => access.write(entry),
  open: channel.open,
  shared: true,
});

async function end(code: number): Promise<void> {
  await access.flush(systemClock.now() + FLUSH_WITHIN_MS);
  process.exit(code);
}
