import { registerAll } from './populate.ts';
import { type Figure, type Part, percentile } from './result.ts';
import { allOf, registrationOf, type Site } from './site.ts';
import { type Place, startVane } from './vane-process.ts';

const ROUNDS = 3;
const WANTED = { sqlite: 2_000, memory: 5_000 } as const;

/** New instances from 32 clients, each acknowledged once it is as durable as the store makes it. */
export async function registrations(place: Place, site: Site): Promise<Part> {
  const figures: Figure[] = [];
  for (const store of ['sqlite', 'memory'] as const) {
    place.progress(`registrations: into ${store}`);
    const vane = await startVane(place, store);
    try {
      const bodies = allOf(site).map(registrationOf);
      const rates: number[] = [];
      const cpu: number[] = [];
      // The first part warms up; new ones come until all are there.
      const size = Math.floor(bodies.length / (ROUNDS + 1));
      for (let round = 0; round <= ROUNDS; round++) {
        await vane.gauge();
        const seconds = await registerAll(vane.port, bodies.slice(round * size, (round + 1) * size));
        const { cpuSeconds } = await vane.gauge();
        if (round === 0) continue;
        rates.push(size / seconds);
        cpu.push((1e6 * cpuSeconds) / size);
      }
      const title = store === 'sqlite' ? 'Into SQLite, written to the disk' : 'Into memory';
      figures.push(
        {
          name: title,
          value: percentile(rates, 0.5),
          unit: '/s',
          bar: { at: 'least', limit: WANTED[store] },
        },
        { name: '  CPU of one registration', value: percentile(cpu, 0.5), unit: 'µs' },
      );
    } finally {
      await vane.end();
    }
  }
  return {
    name: 'registrations',
    title: 'Registrations of new instances',
    how: `Over HTTP from 32 clients on keep-alive connections, each with one under way: ${ROUNDS} rounds after one to warm up, ${site.services * site.instances} instances in all. An answer comes once the registration is stored.`,
    figures,
  };
}
