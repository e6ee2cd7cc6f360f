import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { planCheckReport, requireCheck } from './check-plans.ts';
import type { CommandQueue } from './command-queue.ts';
import { DeferredOutputs } from './deferred-outputs.ts';
import { effective } from './effective.ts';
import { fold } from './fold.ts';
import type { Cause, Check, CheckStatus, PutCheck } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { checkScope, endingCheckScopes } from './scopes.ts';
import type { RegistryStore } from './store.ts';
import type { Storing } from './storing.ts';
import type { Effect } from './tables.ts';

export interface CheckReportsOptions {
  readonly catalog: CatalogReader;
  readonly store: RegistryStore;
  readonly storing: Storing;
  /** For commands: refused once the registry stops. */
  readonly enqueue: CommandQueue['run'];
  /** For what is kept, which is committed when the registry stops. */
  readonly queue: CommandQueue;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Consul's `check_update_interval`, ms. 0: an output is committed at once. */
  readonly interval: number;
}

/** What the checks of this node find: a new status is committed at once, a new output alone later, with others. */
export class CheckReports {
  readonly #options: CheckReportsOptions;
  readonly #outputs: DeferredOutputs;

  constructor(options: CheckReportsOptions) {
    this.#options = options;
    this.#outputs = new DeferredOutputs({ ...options, commit: (ids) => this.#commitOutputs(ids) });
  }

  /** Rejects with REGISTRY_NOT_FOUND for an unknown check. */
  report(id: string, status: CheckStatus, output: string, cause: Cause): Promise<void> {
    const { catalog, enqueue, interval } = this.#options;
    return enqueue(
      () => (status === 'critical' ? endingCheckScopes(catalog, id) : [checkScope(id)]),
      async () => {
        const check = requireCheck(catalog, id);
        if (check.status === status && interval > 0) this.#defer(check, output);
        else await this.#commit(planCheckReport(catalog, id, status, output), cause);
      },
    );
  }

  /** The last output of a check, committed or not. */
  freshOutput(check: Check): string {
    return (this.#isOwn(check.node) ? this.#outputs.get(check.id) : undefined) ?? check.output;
  }

  /** Takes in what a commit has done: a kept output that has been committed, or overtaken, has had its time. */
  reflect(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.table !== 'check' || !this.#isOwn(effect.rows.node.node)) continue;
      const { before, after } = effect;
      const isOver =
        before && (!after || after.status !== before.status || after.output === this.#outputs.get(before.id));
      if (isOver) this.#outputs.delete(before.id);
    }
  }

  /** Commits what is kept; a failure is logged. */
  flush(): Promise<void> {
    return this.#outputs.flush();
  }

  /** Nothing is committed by itself any more. */
  stop(): void {
    this.#outputs.stop();
  }

  #isOwn(node: string): boolean {
    return fold(node) === fold(this.#options.catalog.self);
  }

  #defer(check: Check, output: string): void {
    if (check.output === output) this.#outputs.delete(check.id);
    else this.#outputs.set(check.id, output);
  }

  async #commitOutputs(ids: readonly string[]): Promise<void> {
    const { catalog, queue } = this.#options;
    await queue.run(
      () => ids.map(checkScope),
      async () => {
        const reports = ids.flatMap((id): PutCheck[] => {
          const check = catalog.check(catalog.self, id);
          const output = this.#outputs.get(id);
          return check && output !== undefined ? [{ op: 'put-check', check: { ...check, output } }] : [];
        });
        await this.#commit(reports, { by: 'registry', what: 'check outputs' });
      },
    );
  }

  async #commit(reports: readonly PutCheck[], cause: Cause): Promise<void> {
    const { catalog, storing, store } = this.#options;
    const { changes } = effective(catalog, reports);
    if (changes.length > 0) await storing.after(store.commitReports(changes, cause));
  }
}
