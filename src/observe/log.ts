import { createRequire } from 'node:module';
import { type Logger, pino, stdTimeFunctions } from 'pino';
import type { GlobalConfig } from '../config/runtime/global.ts';
import type { Log } from '../core/log.ts';
import { type LineOutput, stdoutLines } from './line-output.ts';

const require = createRequire(import.meta.url);

/** What Vane says about itself: one event a line, on standard output. */
export interface ProcessLog extends Log {
  /** Takes another level and format, for what is said from now on. */
  configure(config: GlobalConfig['log']): void;
  /** Resolves when all of it has left the process, or at the deadline (clock ms). */
  flush(deadline: number): Promise<void>;
}

/**
 * pino in this process: a line is handed to the system before the call returns, so that a process which ends
 * right after it has said why. `json` has `time` in ISO 8601 and `level` as a word; `pretty` is for people.
 */
export function createLog(config: GlobalConfig['log'], destination: LineOutput = stdoutLines()): ProcessLog {
  return new PinoLog(config, destination);
}

type Format = (json: string) => string;

class PinoLog implements ProcessLog {
  readonly #output: LineOutput;
  readonly #logger: Logger;
  #format: Format;

  constructor(config: GlobalConfig['log'], output: LineOutput) {
    this.#output = output;
    this.#format = this.#formatOf(config);
    this.#logger = pino(
      {
        level: config.level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write: (json) => output.write(this.#format(json)) },
    );
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#logger.error(fields, message);
  }

  configure(config: GlobalConfig['log']): void {
    this.#logger.level = config.level;
    this.#format = this.#formatOf(config);
  }

  flush(deadline: number): Promise<void> {
    return this.#output.flush(deadline);
  }

  #formatOf({ format }: GlobalConfig['log']): Format {
    return format === 'pretty' ? prettyFormat(this.#output.terminal) : (json) => json;
  }
}

/** What makes lines pretty is loaded where they are to be: most are for machines. */
function prettyFormat(colorize: boolean): Format {
  const { prettyFactory }: typeof import('pino-pretty') = require('pino-pretty');
  const format = prettyFactory({
    colorize,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    // Fields called `error` are words here; taken for stacks they would get lines of their own.
    errorLikeObjectKeys: [],
    messageFormat: (event, key) => escaped(String(event[key])),
  });
  // Fields are JSON, which lets these through.
  return (json) => format(json).replace(/[\x7f-\x9f]/g, escaped);
}

/** Without the characters that would start another line or talk to the terminal. */
function escaped(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
