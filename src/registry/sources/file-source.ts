import type { CheckRequest, RegistryCommands } from '../commands.ts';
import { fold } from '../fold.ts';
import type { Cause } from '../model.ts';
import type { CatalogReader } from '../reader.ts';
import { checkIds } from '../service-plans.ts';
import type { Definitions } from './definitions.ts';

export type FileSourceRegistry = Pick<
  RegistryCommands,
  'registerService' | 'deregisterService' | 'registerCheck' | 'deregisterCheck'
> & { readonly catalog: CatalogReader };

/**
 * Makes the registry hold what the definition files say: what is new or has changed is registered, what they no
 * longer name is deregistered, all else is left alone. Rows from files carry the file's name, so that those of an
 * earlier run are known too. As in Consul, a file wins over what the API has registered under the same id before, and
 * the API over the file until this is called again; a definition that goes then leaves what the API has registered.
 *
 * Rejects with what the registry rejects with (STORE_FAILED; REGISTRY_INVALID when it is full): what came before has
 * taken effect then, and calling it again makes up for the rest.
 */
export async function applyDefinitions(
  registry: FileSourceRegistry,
  definitions: Definitions,
): Promise<void> {
  await inBatches(definitions.services, ({ file, service, checks }) => {
    const request = { service: { ...service, file }, checks: checks.map(from(file)), replaceChecks: false };
    return registry.registerService(request, cause(file, 'definition'));
  });
  await inBatches(definitions.checks, ({ file, check }) =>
    registry.registerCheck({ ...check, file }, cause(file, 'definition')),
  );
  await removeUndefined(registry, definitions);
}

async function removeUndefined(registry: FileSourceRegistry, definitions: Definitions): Promise<void> {
  const { catalog } = registry;
  const services = new Set(definitions.services.map(({ service }) => fold(service.id)));
  for (const { id, file } of catalog.node(catalog.self).value?.instances ?? []) {
    if (file !== undefined && !services.has(fold(id)))
      await registry.deregisterService(id, cause(file, GONE));
  }
  const checks = new Set([
    ...definitions.services.flatMap((defined) => checkIds(defined).map(({ id }) => fold(id))),
    ...definitions.checks.map(({ check }) => fold(check.id)),
  ]);
  for (const { id, file } of catalog.nodeChecks(catalog.self).value) {
    if (file !== undefined && !checks.has(fold(id))) await registry.deregisterCheck(id, cause(file, GONE));
  }
}

/** At once, so that the store makes them durable together. */
const BATCH = 500;

/** Throws the first failure of a batch, once all of it has settled. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += BATCH) {
    const outcomes = await Promise.allSettled(items.slice(at, at + BATCH).map(work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

const GONE = 'definition removed';

function from(file: string): (check: CheckRequest) => CheckRequest {
  return (check) => ({ ...check, file });
}

function cause(file: string, what: string): Cause {
  return { by: `file ${file}`, what };
}
