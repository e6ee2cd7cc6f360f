/** Longest wait before the same server is connected to again, ms (HAProxy configuration manual, `retries`). */
const LONGEST_MS = 1_000;

/**
 * How long to leave a server alone that has just refused a connection, before it is connected to again, ms.
 * @param connectTimeout `timeout connect`, ms; 0: none
 */
export function sameServerWait(connectTimeout: number): number {
  return connectTimeout > 0 ? Math.min(connectTimeout, LONGEST_MS) : LONGEST_MS;
}
