import { randomUUID } from 'node:crypto';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import { Backlog } from './backlog.ts';
import { Catalog } from './catalog.ts';
import {
  type CatalogRegistration,
  nodesTouchedBy,
  planCatalogDeregistration,
  planCatalogRegistration,
} from './catalog-plans.ts';
import { checkIdOf, planCheckDeregistration, planCheckRegistration } from './check-plans.ts';
import { CheckReports } from './check-reports.ts';
import { Cluster } from './cluster/cluster.ts';
import { CommandQueue, type Scope } from './command-queue.ts';
import type { CheckRequest, RegistryCommands } from './commands.ts';
import { logCommit } from './commit-log.ts';
import { Commits } from './commits.ts';
import { effective } from './effective.ts';
import { isAsExpected } from './expectations.ts';
import { ExternalReports } from './external-reports.ts';
import { KeyValues } from './key-values.ts';
import { LockDelays } from './lock-delays.ts';
import { planNodeMaintenance, planServiceMaintenance } from './maintenance-plans.ts';
import type { Cause, Change, Check, CheckStatus, Committed, StoreSnapshot } from './model.ts';
import { NODE_MAINTENANCE, serviceMaintenance } from './names.ts';
import { type OwnNode, planOwnNode } from './own-node.ts';
import { planAgain } from './plan-again.ts';
import { PreparedQueries } from './prepared-queries.ts';
import type { CatalogReader } from './reader.ts';
import { planRestore, type Restoration } from './restore-plan.ts';
import { checkScope, endingCheckScopes, serviceScope, touchedNodesScope } from './scopes.ts';
import {
  checksOf,
  checksTouchedBy,
  planServiceDeregistration,
  planServiceRegistration,
  type ServiceRegistration,
} from './service-plans.ts';
import { Sessions } from './sessions.ts';
import { snapshotOf } from './snapshot-rows.ts';
import type { RegistryStore } from './store.ts';
import { Storing, type StoringState } from './storing.ts';
import { Transactions } from './transactions.ts';

export interface RegistryOptions {
  readonly store: RegistryStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: OwnNode;
  /** Consul's `check_update_interval`, ms: about how late a changed output alone is committed. 0: at once. */
  readonly checkUpdateInterval?: number;
  /** Instances with a warning get no traffic: only for what the log says of it. */
  readonly warningsFail?: boolean;
  /** Rows of all kinds; what would go beyond is refused with REGISTRY_INVALID. */
  readonly maxRows?: number;
  /** Bytes of all keys and values together; what would go beyond is refused with REGISTRY_INVALID. */
  readonly maxKvBytes?: number;
  /** In [0, 1). */
  readonly random?: () => number;
}

const CHECK_UPDATE_INTERVAL_MS = 300_000;
const MAX_ROWS = 100_000;
const MAX_KV_BYTES = 64 * 1024 * 1024;

/**
 * The registry of this process: turns commands into commits of the store, and what the store commits, whoever
 * asked for it, into the catalog.
 */
export class Registry implements RegistryCommands, Part {
  readonly name = 'registry';
  readonly kv: KeyValues;
  readonly sessions: Sessions;
  readonly transactions: Transactions;
  readonly queries: PreparedQueries;
  readonly external: ExternalReports;
  /** Undefined: no other node shares this registry. */
  readonly cluster: Cluster | undefined;
  readonly #options: RegistryOptions;
  readonly #catalog: Catalog;
  readonly #queue = new CommandQueue();
  readonly #reports: CheckReports;
  readonly #storing: Storing;
  readonly #commits: Commits;
  readonly #lockDelays: LockDelays;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #unsubscribe: Cancel | undefined;
  /** Commits that came while the snapshot was being loaded. */
  #early: Committed[] | undefined = [];
  #stopping: Promise<void> | undefined;
  #leaves = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    const { store, clock, log, node, random = Math.random } = options;
    this.#catalog = new Catalog({
      self: node.name,
      datacenter: node.datacenter,
      onListenerError: (error) => log.error({ error: messageOf(error) }, 'catalog listener failed'),
    });
    this.#storing = new Storing({ store, clock, log });
    const catalog = this.#catalog;
    const { maxRows = MAX_ROWS, maxKvBytes = MAX_KV_BYTES } = options;
    const commits = new Commits({ catalog, store, storing: this.#storing, maxRows, maxKvBytes });
    const enqueue: CommandQueue['run'] = (scope, work) => this.#enqueue(scope, work);
    this.#reports = new CheckReports({
      ...{ catalog, store, storing: this.#storing, enqueue, queue: this.#queue, clock, log, random },
      interval: options.checkUpdateInterval ?? CHECK_UPDATE_INTERVAL_MS,
    });
    const { coordination } = store;
    const delays = new LockDelays({ clock, log, shared: coordination });
    const backlog = new Backlog();
    this.#commits = commits;
    this.#lockDelays = delays;
    this.kv = new KeyValues({ catalog, enqueue, commits, delays, backlog });
    this.sessions = new Sessions({ catalog, enqueue, commits, clock, log, newId: randomUUID, coordination });
    const reassert = () => this.#putOwnNode('return');
    this.cluster = coordination && new Cluster({ coordination, catalog, node, clock, log, random, reassert });
    this.external = new ExternalReports({ catalog, enqueue, commits, cluster: this.cluster });
    this.transactions = new Transactions({ catalog, enqueue, commits, delays, backlog });
    this.queries = new PreparedQueries({ catalog, enqueue, commits, newId: randomUUID });
  }

  /** Readable from the start on; empty until {@link start} has resolved. */
  get catalog(): CatalogReader {
    return this.#catalog;
  }

  /** Whether the store stores what it is given. */
  get storing(): StoringState {
    return this.#storing;
  }

  /** Loads the store and puts this process's own node into it. Rejects with STORE_CORRUPT or STORE_FAILED. */
  async start(): Promise<void> {
    const { store, log } = this.#options;
    this.#unsubscribe = store.onCommitted((committed) => this.#onCommitted(committed));
    store.attach?.({
      self: this.#options.node.name,
      snapshot: () => snapshotOf(this.#catalog),
      isAsExpected: (expects) => isAsExpected(this.#catalog, expects),
      reset: (snapshot) => this.#reset(snapshot),
    });
    try {
      const snapshot = await store.load();
      this.#catalog.reset(snapshot);
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const committed of early) this.#onCommitted(committed);
      const { length: services } = snapshot.services;
      log.info({ index: snapshot.index, nodes: snapshot.nodes.length, services }, 'registry loaded');
      await this.cluster?.join();
      await this.#putOwnNode('start');
    } catch (error) {
      this.#unsubscribe();
      await store.close();
      throw error;
    }
    this.sessions.restore();
    this.cluster?.start();
    this.#state = 'running';
  }

  /** Takes no further commands, waits until `deadline` for those under way, and closes the store. Idempotent. */
  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  /** When it stops, this node leaves a registry that others share, with all that is registered here. */
  leaveOnStop(): void {
    this.#leaves = true;
  }

  async registerService(request: ServiceRegistration, cause: Cause): Promise<void> {
    await this.#command(
      () => [
        serviceScope(request.service.id),
        ...this.#endingScopes(checksTouchedBy(this.#catalog, request)),
      ],
      () => planServiceRegistration(this.#catalog, request),
      cause,
    );
  }

  deregisterService(id: string, cause: Cause): Promise<boolean> {
    return this.#command(
      () => [serviceScope(id), ...this.#endingScopes(checksOf(this.#catalog, id))],
      () => planServiceDeregistration(this.#catalog, id),
      cause,
    );
  }

  async registerCheck(request: CheckRequest & { readonly serviceId: string }, cause: Cause): Promise<void> {
    await this.#command(
      () => [serviceScope(request.serviceId), checkScope(checkIdOf(request))],
      () => planCheckRegistration(this.#catalog, request),
      cause,
    );
  }

  deregisterCheck(id: string, cause: Cause): Promise<boolean> {
    return this.#command(
      () => this.#endingScopes([id]),
      () => planCheckDeregistration(this.#catalog, id),
      cause,
    );
  }

  reportCheck(id: string, status: CheckStatus, output: string, cause: Cause): Promise<void> {
    return this.#reports.report(id, status, output, cause);
  }

  async setServiceMaintenance(id: string, enable: boolean, reason: string, cause: Cause): Promise<void> {
    await this.#command(
      () => [serviceScope(id), checkScope(serviceMaintenance(id))],
      () => planServiceMaintenance(this.#catalog, id, enable, reason),
      cause,
    );
  }

  async setNodeMaintenance(enable: boolean, reason: string, cause: Cause): Promise<void> {
    await this.#command(
      () => [checkScope(NODE_MAINTENANCE)],
      () => planNodeMaintenance(this.#catalog, enable, reason),
      cause,
    );
  }

  async catalogRegister(request: CatalogRegistration, cause: Cause): Promise<void> {
    await this.#command(
      () => touchedNodesScope(this.#catalog, nodesTouchedBy(this.#catalog, request), request.node.id),
      () => planCatalogRegistration(this.#catalog, request),
      cause,
    );
  }

  async catalogDeregister(
    request: { node: string; serviceId: string | undefined; checkId: string | undefined },
    cause: Cause,
  ): Promise<void> {
    await this.#command(
      () => touchedNodesScope(this.#catalog, [request.node], ''),
      () => planCatalogDeregistration(this.#catalog, request),
      cause,
    );
  }

  /** Resolves to the index from which on all is as the snapshot has it; see {@link planRestore}. All or nothing. */
  restore(restoration: Restoration, cause: Cause): Promise<number> {
    return this.#enqueue(
      () => 'everything',
      async () => {
        const { changes, rows, kvBytes } = planRestore(this.#catalog, restoration);
        const growth = { rows: rows - this.#catalog.size, kvBytes: kvBytes - this.#catalog.kv.bytes };
        return this.#commits.commit(changes, growth, cause, {
          least: restoration.index + 1,
          mayBeVain: true,
        });
      },
    );
  }

  freshOutput(check: Check): string {
    return this.#reports.freshOutput(check);
  }

  /** Past the limit on rows: it is there to stop others, not this node from being in its own registry. */
  async #putOwnNode(what: string): Promise<void> {
    const { store, node } = this.#options;
    const plan = planOwnNode(this.#catalog, node, { shared: store.shared, newId: randomUUID });
    const { changes } = effective(this.#catalog, plan);
    if (changes.length > 0) await store.commit(changes, { by: 'registry', what });
  }

  /** Resolves to whether there was anything to commit. */
  #command(scope: () => Scope, plan: () => readonly Change[], cause: Cause): Promise<boolean> {
    return this.#enqueue(scope, async () => this.#commit(plan(), cause));
  }

  #enqueue<T>(scope: () => Scope, work: () => Promise<T>): Promise<T> {
    if (this.#state !== 'running') {
      return Promise.reject(new VaneError('STOPPING', 'the registry is not running'));
    }
    return this.#queue.run(scope, () => planAgain(work));
  }

  async #commit(plan: readonly Change[], cause: Cause): Promise<boolean> {
    const { changes, added } = effective(this.#catalog, plan);
    if (changes.length === 0) return false;
    await this.#commits.commit(changes, { rows: added, kvBytes: 0 }, cause);
    return true;
  }

  /** What was missed, or had taken effect here alone, is as everybody has it. */
  #reset(snapshot: StoreSnapshot): void {
    this.#lockDelays.replaced(this.#catalog, () => this.#catalog.reset(snapshot));
    this.sessions.restore();
  }

  #onCommitted(committed: Committed): void {
    if (this.#early) {
      this.#early.push(committed);
      return;
    }
    this.#commits.arrived(committed.changes);
    const effects = this.#catalog.apply(committed);
    if (effects.length === 0) this.#commits.cameToNothing(committed.changes);
    this.#reports.reflect(effects);
    this.#lockDelays.reflect(effects);
    this.sessions.reflect(effects);
    this.cluster?.reflect(effects);
    const onWarning = this.#options.warningsFail ? 'gets no traffic' : 'still gets traffic';
    logCommit(this.#options.log, committed, effects, onWarning);
  }

  async #stop(deadline: number): Promise<void> {
    const { clock, store } = this.#options;
    const ran = this.#state === 'running';
    this.#state = 'stopped';
    this.#reports.stop();
    this.sessions.stop();
    if (!ran) return;
    const { promise: overdue, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(deadline - clock.now(), resolve);
    await Promise.race([this.#reports.flush().then(() => this.#queue.idle()), overdue]);
    cancel();
    this.#queue.refuse(new VaneError('STOPPING', 'the registry stops'));
    this.#storing.stop();
    await this.cluster?.stop(this.#leaves ? () => this.#leave() : undefined);
    this.#unsubscribe?.();
    await store.close();
  }

  #leave(): Promise<number> {
    const node = this.#catalog.self;
    return this.#options.store.commit([{ op: 'delete-node', node }], { by: 'registry', what: 'leave' });
  }

  /** Checks that may go or turn critical, with what then ends. */
  #endingScopes(checks: readonly string[]): string[] {
    return checks.flatMap((check) => endingCheckScopes(this.#catalog, check));
  }
}
