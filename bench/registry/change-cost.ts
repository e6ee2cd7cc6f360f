import { populate, registerAll, statusAll } from './populate.ts';
import { type Figure, type Part, percentile } from './result.ts';
import { registrationOf, type Site } from './site.ts';
import { type Place, startVane, type VaneProcess } from './vane-process.ts';

const SIZES = [10, 100, 1_000] as const;
const ROUNDS = 5;
const CHANGES = 2_000;
/** Changes are about these services, so that what is measured of a larger registry is the others that stand by. */
const CHANGING = 10;
const RATIO_BAR = 1.3;

interface Running {
  readonly services: number;
  readonly vane: VaneProcess;
  /** CPU of one change of each round, µs. */
  readonly registrations: number[];
  readonly statuses: number[];
}

/** What one change costs beside more and more services that stand by. */
export async function changeCost(place: Place, { instances }: Site): Promise<Part> {
  const all: Running[] = [];
  try {
    for (const services of SIZES) {
      place.progress(`change-cost: registering ${services} services`);
      const vane = await startVane(place, 'memory');
      all.push({ services, vane, registrations: [], statuses: [] });
      await populate(vane.port, { services, instances }, 'ttl');
    }
    for (let round = 0; round <= ROUNDS; round++) {
      place.progress(`change-cost: round ${round + 1} of ${ROUNDS + 1}`);
      for (const one of all) {
        const cost = await roundOf(one.vane, instances, round);
        // The first warms up.
        if (round === 0) continue;
        one.registrations.push(cost.registration);
        one.statuses.push(cost.status);
      }
    }
  } finally {
    await Promise.all(all.map(({ vane }) => vane.end()));
  }
  return {
    name: 'change-cost',
    title: 'Cost of a change beside other services',
    how: `Changes of instances of ten services over HTTP, from 32 clients, while the other services, of ${instances} instances with a TTL check each, stand by. The least of ${ROUNDS} rounds that take turns.`,
    figures: [
      ...figuresOf('a registration', all, ({ registrations }) => registrations),
      ...figuresOf('a status of a check', all, ({ statuses }) => statuses),
    ],
  };
}

async function roundOf(vane: VaneProcess, instances: number, round: number) {
  const changes = Array.from({ length: CHANGES }, (_, i) => ({
    service: i % CHANGING,
    instance: Math.floor(i / CHANGING) % instances,
    // Each time another one than the last time.
    weight: 2 + ((round * CHANGES + i) % 60_000),
  }));
  await vane.gauge();
  await registerAll(
    vane.port,
    changes.map((change) => registrationOf({ ...change, check: 'ttl' })),
  );
  const registering = await vane.gauge();
  // As many change to each word, one after the other.
  for (const word of ['fail', 'pass'] as const)
    await statusAll(vane.port, changes.slice(0, CHANGES / 10), word);
  const telling = await vane.gauge();
  return {
    registration: (1e6 * registering.cpuSeconds) / CHANGES,
    status: (1e6 * telling.cpuSeconds) / (CHANGES / 5),
  };
}

function figuresOf(
  what: string,
  all: readonly Running[],
  costsOf: (one: Running) => readonly number[],
): Figure[] {
  const least = (one: Running | undefined) => percentile(one ? costsOf(one) : [], 0);
  const [first] = all;
  const last = all.at(-1);
  return [
    ...all.map(
      (one): Figure => ({
        name: `CPU of ${what} among ${one.services} services`,
        value: least(one),
        unit: 'µs',
      }),
    ),
    {
      name: `  ratio of ${last?.services} services to ${first?.services}`,
      value: least(last) / least(first),
      unit: '',
      bar: { at: 'most', limit: RATIO_BAR },
    },
  ];
}
