import { Connection } from './connection.ts';
import { allOf, checkIdOf, type Registration, registrationOf, type Site } from './site.ts';

const CLIENTS = 32;

/** Registers all instances of a site from many clients at once; resolves to how long it took, seconds. */
export function populate(port: number, site: Site, check?: Registration['check']): Promise<number> {
  const bodies = allOf(site).map((one) => registrationOf(check === undefined ? one : { ...one, check }));
  return registerAll(port, bodies);
}

/** Sends these bodies of agent/service/register, each client one after the other; resolves to seconds. */
export function registerAll(port: number, bodies: readonly string[]): Promise<number> {
  return putAll(
    port,
    bodies.map((body) => ({ path: '/v1/agent/service/register', body })),
  );
}

/** Tells the TTL checks of these instances; resolves to seconds. */
export function statusAll(
  port: number,
  instances: readonly Registration[],
  word: 'pass' | 'fail',
): Promise<number> {
  return putAll(
    port,
    instances.map((one) => ({ path: `/v1/agent/check/${word}/${checkIdOf(one)}`, body: '' })),
  );
}

async function putAll(
  port: number,
  requests: readonly { readonly path: string; readonly body: string }[],
): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Connection.open(port)));
  let next = 0;
  const start = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        await client.expect('PUT', request.path, request.body);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  for (const client of clients) client.close();
  return seconds;
}
