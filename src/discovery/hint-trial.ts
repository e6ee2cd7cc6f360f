import type { Clock } from '../core/clock.ts';
import { connectProbe } from '../health/tcp.ts';
import type { Endpoint } from './resolution.ts';

/** A server that does not even accept a connection within this time is not the one it was, ms. */
const CONNECT_WITHIN_MS = 1_000;
const AT_ONCE = 50;

/** Those of the servers that accept a connection now, in their order. Never rejects. */
export async function acceptingEndpoints(
  endpoints: readonly Endpoint[],
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Endpoint[]> {
  const accepting = new Set<Endpoint>();
  const waiting = endpoints.values();
  const tryNext = async () => {
    for (const endpoint of waiting) if (await accepts(endpoint, clock, signal)) accepting.add(endpoint);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, tryNext));
  return endpoints.filter((endpoint) => accepting.has(endpoint));
}

async function accepts(
  { address: host, port }: Endpoint,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const late = new AbortController();
  const cancel = clock.after(CONNECT_WITHIN_MS, () => late.abort());
  const { status } = await connectProbe({ host, port }).run(AbortSignal.any([late.signal, signal]));
  cancel();
  return status === 'passing';
}
