/** What rooms need of a logger; pino's loggers fit it. Fields come first so that JSON logs stay structured. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Swallows everything: for parts started without a log, such as in unit tests. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
