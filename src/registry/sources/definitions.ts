import type { CheckRequest, ServiceRequest } from '../commands.ts';
import { fold } from '../fold.ts';
import type { CatalogReader } from '../reader.ts';

/** All that the definition files say, sound in itself: no id is there twice. */
export interface Definitions {
  readonly services: readonly DefinedService[];
  readonly checks: readonly DefinedCheck[];
}

/** A service of this node, with its own checks. */
export interface DefinedService {
  readonly file: string;
  readonly service: ServiceRequest;
  readonly checks: readonly CheckRequest[];
}

/** A check of this node, or of a service that is defined or registered. */
export interface DefinedCheck {
  readonly file: string;
  readonly check: CheckRequest & { readonly id: string; readonly serviceId: string };
  /** Where `serviceId` stands, for saying that there is no such service. */
  readonly at: { readonly line: number; readonly column: number; readonly path: string };
}

export const NO_DEFINITIONS: Definitions = { services: [], checks: [] };

/** The checks of services that are neither defined nor registered: only the running registry can tell. */
export function homeless({ services, checks }: Definitions, catalog: CatalogReader): readonly DefinedCheck[] {
  const defined = new Set(services.map(({ service }) => fold(service.id)));
  return checks.filter(({ check: { serviceId } }) => {
    if (serviceId === '' || defined.has(fold(serviceId))) return false;
    const instance = catalog.instance(catalog.self, serviceId);
    // One that a file has defined until now goes with its definition.
    return instance === undefined || instance.file !== undefined;
  });
}
