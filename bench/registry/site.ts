/** How many services there are, and of how many instances each. */
export interface Site {
  readonly services: number;
  readonly instances: number;
}

/** Addresses of the listeners that checks connect to: so many that ports in TIME_WAIT do not run out. */
export const TARGET_ADDRESSES: readonly string[] = Array.from(
  { length: 50 },
  (_, i) => `127.7.${Math.floor(i / 10)}.${(i % 10) + 1}`,
);

export function serviceOf(number: number): string {
  return `service-${number}`;
}

/** Of all instances of a site, by service. */
export function allOf({ services, instances }: Site): readonly { service: number; instance: number }[] {
  return Array.from({ length: services * instances }, (_, i) => ({
    service: Math.floor(i / instances),
    instance: i % instances,
  }));
}

export interface Registration {
  readonly service: number;
  readonly instance: number;
  /** What a change changes. */
  readonly weight?: number;
  /**
   * A TTL check that does not run out; or the port that every other instance has an HTTP check of and the others a TCP
   * check, each ten seconds.
   */
  readonly check?: 'ttl' | number;
}

/** The body of agent/service/register. */
export function registrationOf({ service, instance, weight = 1, check }: Registration): string {
  const name = serviceOf(service);
  return JSON.stringify({
    Name: name,
    ID: `${name}-${instance}`,
    Address: `127.8.${service % 250}.${instance + 1}`,
    Port: 8080,
    Tags: ['v1', `zone-${instance % 3}`],
    Weights: { Passing: weight, Warning: 1 },
    ...(check === undefined ? {} : { Check: checkOf(service + instance, check) }),
  });
}

/** The path of the check that {@link registrationOf} gives an instance, for agent/check/pass and the like. */
export function checkIdOf({ service, instance }: Pick<Registration, 'service' | 'instance'>): string {
  return `service:${serviceOf(service)}-${instance}`;
}

function checkOf(number: number, check: 'ttl' | number): object {
  if (check === 'ttl') return { TTL: '10h', Status: 'passing' };
  const target = `${TARGET_ADDRESSES[number % TARGET_ADDRESSES.length]}:${check}`;
  const times = { Interval: '10s', Timeout: '2s' };
  return number % 2 === 0 ? { HTTP: `http://${target}/health`, ...times } : { TCP: target, ...times };
}
