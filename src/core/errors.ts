/** Where a failure comes from: decides who is told and whether another server may help. */
export type ErrorSource = 'client' | 'upstream' | 'internal' | 'config' | 'registry' | 'resolver';

interface ErrorKind {
  readonly source: ErrorSource;
  /** True where the same work may succeed on another server or a moment later. */
  readonly retryable: boolean;
}

/**
 * Every failure Vane names. Codes are stable: logs, events and tests refer to them.
 * A new failure gets a row here before it is thrown anywhere.
 */
export const ERRORS = {
  CONFIG_INVALID: { source: 'config', retryable: false },
  BIND_FAILED: { source: 'config', retryable: false },

  CONNECT_REFUSED: { source: 'upstream', retryable: true },
  CONNECT_TIMEOUT: { source: 'upstream', retryable: true },
  CONNECT_FAILED: { source: 'upstream', retryable: true },
  UPSTREAM_CLOSED: { source: 'upstream', retryable: true },
  UPSTREAM_TIMEOUT: { source: 'upstream', retryable: false },
  UPSTREAM_PROTOCOL: { source: 'upstream', retryable: false },
  /** An answer that was not wanted, as another server may have a better one (`retry-on`). */
  UPSTREAM_STATUS: { source: 'upstream', retryable: false },
  /** An answer that is not waited for any longer, as another server was faster (`hedge`). */
  HEDGED: { source: 'internal', retryable: false },
  SERVER_REMOVED: { source: 'internal', retryable: true },
  NO_SERVER: { source: 'upstream', retryable: false },
  QUEUE_TIMEOUT: { source: 'upstream', retryable: false },
  QUEUE_FULL: { source: 'upstream', retryable: false },

  CLIENT_ABORTED: { source: 'client', retryable: false },
  CLIENT_TIMEOUT: { source: 'client', retryable: false },
  REQUEST_INVALID: { source: 'client', retryable: false },

  RESOLVE_TIMEOUT: { source: 'resolver', retryable: true },
  RESOLVE_REFUSED: { source: 'resolver', retryable: true },
  RESOLVE_FAILED: { source: 'resolver', retryable: true },

  REGISTRY_INVALID: { source: 'registry', retryable: false },
  REGISTRY_NOT_FOUND: { source: 'registry', retryable: false },
  STORE_FAILED: { source: 'registry', retryable: true },
  STORE_CORRUPT: { source: 'registry', retryable: false },

  STOPPING: { source: 'internal', retryable: false },
  INTERNAL: { source: 'internal', retryable: false },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error class of Vane: a stable code, where it comes from, whether trying again can help. */
export class VaneError extends Error {
  override readonly name = 'VaneError';
  readonly code: ErrorCode;
  readonly source: ErrorSource;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.source = ERRORS[code].source;
    this.retryable = ERRORS[code].retryable;
  }
}

/** Turns whatever was thrown into a {@link VaneError}; an error that already is one stays itself. */
export function asVaneError(thrown: unknown, code: ErrorCode = 'INTERNAL'): VaneError {
  if (thrown instanceof VaneError) return thrown;
  return new VaneError(code, messageOf(thrown), { cause: thrown });
}

/** The words of anything that can be thrown, never empty. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return thrown.errors.map(messageOf).join('; ') || 'unknown error';
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown) || 'unknown error';
}
