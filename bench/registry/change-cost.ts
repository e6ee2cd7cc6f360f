import { populate, registerAll } from './populate.ts';
import { type Figure, type Part, percentile } from './result.ts';
import { registrationOf, type Site } from './site.ts';
import { type Place, startVane, type VaneProcess } from './vane-process.ts';

const SIZES = [10, 100, 1_000] as const;
const ROUNDS = 5;
const CHANGES = 2_000;
/** Changes are about these, so that what is measured of a larger registry is the others that stand by. */
const CHANGING = 10;

/** What one change costs beside more and more services that stand by. */
export async function changeCost(place: Place, { instances }: Site): Promise<Part> {
  const running: { readonly services: number; readonly vane: VaneProcess; readonly costs: number[] }[] = [];
  try {
    for (const services of SIZES) {
      place.progress(`cost of a change: registering ${services} services`);
      const vane = await startVane(place, 'memory');
      running.push({ services, vane, costs: [] });
      // A check that nobody can connect to, for the registry to have it, and rarely run.
      await populate(vane.port, { services, instances });
    }
    let weight = 1;
    for (let round = 0; round <= ROUNDS; round++) {
      place.progress(`cost of a change: round ${round + 1} of ${ROUNDS + 1}`);
      for (const { vane, costs } of running) {
        const bodies = Array.from({ length: CHANGES }, (_, i) =>
          registrationOf({
            service: i % CHANGING,
            instance: Math.floor(i / CHANGING) % instances,
            weight: 2 + (weight++ % 60_000),
          }),
        );
        await vane.gauge();
        await registerAll(vane.port, bodies);
        const { cpuSeconds } = await vane.gauge();
        if (round > 0) costs.push((1e6 * cpuSeconds) / CHANGES);
      }
    }
  } finally {
    await Promise.all(running.map(({ vane }) => vane.end()));
  }
  const least = (costs: readonly number[]) => percentile(costs, 0);
  const [first] = running;
  const figures = running.map(
    ({ services, costs }): Figure => ({
      name: `CPU of a change among ${services} services`,
      value: least(costs),
      unit: 'µs',
    }),
  );
  const last = running.at(-1);
  const ratio = least(last?.costs ?? []) / least(first?.costs ?? []);
  return {
    name: 'change-cost',
    title: 'Cost of a change beside other services',
    how: `A registration over HTTP that changes one instance of ten services, while the others, of ${instances} instances each, stand by. The least of ${ROUNDS} rounds that take turns.`,
    figures: [
      ...figures,
      {
        name: `Ratio of ${last?.services} services to ${first?.services}`,
        value: ratio,
        unit: '',
        bar: { at: 'most', limit: 1.3 },
      },
    ],
  };
}
