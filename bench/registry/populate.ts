import { Connection } from './connection.ts';
import { allOf, registrationOf, type Site } from './site.ts';

const CLIENTS = 32;

/** Registers all instances of a site from many clients at once; resolves to how long it took, seconds. */
export async function populate(port: number, site: Site, checkPort?: number): Promise<number> {
  const bodies = allOf(site).map((one) =>
    registrationOf(checkPort === undefined ? one : { ...one, checkPort }),
  );
  return registerAll(port, bodies);
}

/** Sends these bodies of agent/service/register, each client one after the other; resolves to seconds. */
export async function registerAll(port: number, bodies: readonly string[]): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Connection.open(port)));
  let next = 0;
  const start = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
        await client.expect('PUT', '/v1/agent/service/register', body);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  for (const client of clients) client.close();
  return seconds;
}
