import { asVaneError } from '../../core/errors.ts';
import type { RegistryCommands } from '../../registry/commands.ts';
import type { Cause } from '../../registry/model.ts';
import type { CatalogReader } from '../../registry/reader.ts';
import { checkIdOf, type Entry, type EntryState, type Instances, VIP_META_KEY } from './instances.ts';

export type VipRegistry = Pick<RegistryCommands, 'registerService' | 'deregisterService' | 'reportCheck'> & {
  readonly catalog: CatalogReader;
};

/** The built-in registry, on the node that this process is. */
export class BuiltinInstances implements Instances {
  readonly #registry: VipRegistry;
  readonly #vip: string;
  readonly #cause: Cause;

  constructor(registry: VipRegistry, vip: string) {
    this.#registry = registry;
    this.#vip = vip;
    this.#cause = { by: `mysql-vip ${vip}`, what: 'failover' };
  }

  async register({ tags, ...entry }: Entry): Promise<void> {
    const service = {
      ...entry,
      tags,
      taggedAddresses: null,
      meta: { [VIP_META_KEY]: this.#vip },
      weights: { passing: 1, warning: 1 },
      enableTagOverride: false,
      kind: '',
    };
    const check = {
      id: checkIdOf(entry.id),
      name: `mysql-vip ${this.#vip}`,
      notes: '',
      status: 'critical' as const,
      type: '',
      definition: undefined,
    };
    await this.#registry.registerService({ service, checks: [check], replaceChecks: true }, this.#cause);
    await this.#registry.reportCheck(check.id, 'critical', 'not asked yet', this.#cause);
  }

  async report(id: string, { status, output }: EntryState): Promise<boolean> {
    return isFound(() => this.#registry.reportCheck(checkIdOf(id), status, output, this.#cause));
  }

  async deregister(id: string): Promise<void> {
    await isFound(() => this.#registry.deregisterService(id, this.#cause));
  }
}

async function isFound(command: () => Promise<unknown>): Promise<boolean> {
  try {
    await command();
    return true;
  } catch (error) {
    if (asVaneError(error).code !== 'REGISTRY_NOT_FOUND') throw error;
    return false;
  }
}

/** Whether these are the meta data of an instance that a VIP has registered, and keeps up to date. */
export function isVipInstance(meta: Readonly<Record<string, string>> | null): boolean {
  return meta !== null && Object.hasOwn(meta, VIP_META_KEY);
}

/** Takes out of the registry what VIPs of an earlier run have left there: nobody keeps it up to date. */
export async function forgetLeftovers(registry: VipRegistry): Promise<void> {
  const own = registry.catalog.node(registry.catalog.self).value?.instances ?? [];
  const cause = { by: 'mysql-vip', what: 'left by an earlier run' };
  for (const { id, meta } of own) {
    if (isVipInstance(meta)) await registry.deregisterService(id, cause);
  }
}
