import type {
  Cause,
  Check,
  CheckDefinition,
  CheckStatus,
  Instance,
  RegistryNode,
  Unindexed,
} from './model.ts';

/** A check as it is asked for: ids and names may be left to the registry. */
export interface CheckRequest {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly notes: string;
  /** Undefined: critical until it has run. */
  readonly status: CheckStatus | undefined;
  readonly type: string;
  readonly definition: CheckDefinition | undefined;
  /** The definition file that asks for it. */
  readonly file?: string | undefined;
}

export type ServiceRequest = Omit<Unindexed<Instance>, 'node'>;

/**
 * Every write to the registry. Each resolves once its commit is as durable as the store makes it, and
 * changes nothing at all when it rejects (REGISTRY_INVALID, REGISTRY_NOT_FOUND, STORE_FAILED).
 *
 * There is one truth: an instance of this node that is deregistered, by whichever door, stays away, and
 * the log names who did it.
 */
export interface RegistryCommands {
  /**
   * Registers an instance on this node, with its checks. A check that exists already keeps its status and
   * output; checks not named stay unless `replaceChecks`. The same request again commits nothing.
   */
  registerService(
    request: { service: ServiceRequest; checks: readonly CheckRequest[]; replaceChecks: boolean },
    cause: Cause,
  ): Promise<void>;
  /** Resolves to false when there was no such instance. */
  deregisterService(id: string, cause: Cause): Promise<boolean>;
  /** `serviceId` empty: a check of the node. Rejects with REGISTRY_NOT_FOUND for an unknown service. */
  registerCheck(request: CheckRequest & { readonly serviceId: string }, cause: Cause): Promise<void>;
  deregisterCheck(id: string, cause: Cause): Promise<boolean>;
  /**
   * Takes a result for one of this node's checks. A changed status commits at once; a changed output alone
   * is committed later and together with others, so that output noise wakes nobody. It counts even while the store
   * cannot store it: a dead instance must not stay in rotation because a disk is full.
   */
  reportCheck(id: string, status: CheckStatus, output: string, cause: Cause): Promise<void>;
  /** `_service_maintenance:<id>`; rejects with REGISTRY_NOT_FOUND for an unknown id. */
  setServiceMaintenance(id: string, enable: boolean, reason: string, cause: Cause): Promise<void>;
  /** `_node_maintenance`. */
  setNodeMaintenance(enable: boolean, reason: string, cause: Cause): Promise<void>;

  /** Rows for any node (Consul's catalog/register), all or nothing. */
  catalogRegister(
    request: {
      node: Unindexed<RegistryNode> & { readonly skipUpdate: boolean };
      service: Omit<Unindexed<Instance>, 'node'> | undefined;
      checks: readonly Omit<Unindexed<Check>, 'node'>[];
    },
    cause: Cause,
  ): Promise<void>;
  /** Only `node`: the node with everything on it. Unknown names are no error (Consul answers true). */
  catalogDeregister(
    request: { node: string; serviceId: string | undefined; checkId: string | undefined },
    cause: Cause,
  ): Promise<void>;

  /** The freshest output of one of this node's checks, committed or not. */
  freshOutput(check: Check): string;
}
