import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, type Part, percentile } from '../registry/result.ts';
import type { Place } from './place.ts';
import { startHaproxy, startVane } from './proxies.ts';
import { WireClient } from './wire.ts';
import { middle } from './work.ts';

/** A session of an application is not busy all the time. */
const PAUSE_MS = 1;
const BAR_MS = 0.2;

/** How much later an answer comes through a proxy: one query at a time, in turns with one that goes straight. */
export async function latency(place: Place): Promise<Part> {
  const proxies = [await startVane(place), await startHaproxy(place)].filter((proxy) => proxy !== undefined);
  const ways = await Promise.all(
    [{ name: 'straight', port: place.port }, ...proxies].map(async ({ name, port }) => ({
      name,
      client: await WireClient.login(port),
      times: [] as number[],
    })),
  );
  place.progress('latency');
  const rounds: Map<string, number>[] = [];
  for (let round = 0; round <= place.rounds; round++) {
    const until = performance.now() + place.seconds * 1000;
    while (performance.now() < until) {
      for (const { client, times } of ways) {
        const begun = performance.now();
        await client.query('DO 1');
        times.push(performance.now() - begun);
        await sleep(PAUSE_MS);
      }
    }
    const taken = ways.map(({ name, times }) => [name, percentile(times.splice(0), 0.99)] as const);
    if (round > 0) rounds.push(new Map(taken));
  }
  for (const { client } of ways) client.end();
  for (const proxy of proxies) await proxy.end();
  const added = (name: string) =>
    middle(rounds.map((round) => (round.get(name) ?? Number.NaN) - (round.get('straight') ?? Number.NaN)));
  return {
    name: 'latency',
    title: 'Latency',
    how: `"DO 1", one at a time in one session with pauses of ${PAUSE_MS} ms, in turns with a session without a proxy; the difference of the 99th percentiles, median of ${place.rounds} rounds of ${place.seconds} s.`,
    figures: proxies.map(
      ({ name }): Figure => ({
        name: `Added by ${name}, p99`,
        value: added(name) * 1000,
        unit: 'µs',
        ...(name === 'Vane' ? { bar: { at: 'most', limit: BAR_MS * 1000 } } : {}),
      }),
    ),
  };
}
