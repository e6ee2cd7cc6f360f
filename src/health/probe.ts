import type { CheckStatus } from '../registry/model.ts';

/** What one run of a check found. */
export interface ProbeResult {
  readonly status: CheckStatus;
  readonly output: string;
  /** HAProxy's check status code where one fits: L4OK, L4CON, L4TOUT, L7OK, L7STS, L7TOUT, PROCOK, PROCERR… */
  readonly code: string;
  /** The response's status for HTTP checks. */
  readonly httpStatus: number | undefined;
  /** The server wants no new work but may keep what it has: HAProxy's `http-check disable-on-404`. */
  readonly notFound?: boolean;
}

/**
 * One way of asking whether something works. A run never rejects and never outlives `signal`: whatever goes
 * wrong is a result. It leaves no socket, process or timer behind.
 */
export interface Probe {
  run(signal: AbortSignal): Promise<ProbeResult>;
}
