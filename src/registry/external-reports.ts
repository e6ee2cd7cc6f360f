import { VaneError } from '../core/errors.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { CommandQueue } from './command-queue.ts';
import type { Commits } from './commits.ts';
import type { Cause, Change, CheckStatus } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { touchedNodesScope } from './scopes.ts';

export interface ExternalReportsOptions {
  readonly catalog: CatalogReader;
  readonly enqueue: CommandQueue['run'];
  readonly commits: Commits;
  /** Undefined: no other node shares the registry. */
  readonly cluster: Cluster | undefined;
}

/** What checks find of nodes that nobody of those who share the registry is: it counts only from the one that leads. */
export class ExternalReports {
  readonly #options: ExternalReportsOptions;

  constructor(options: ExternalReportsOptions) {
    this.#options = options;
  }

  /**
   * Commits a new status, and an output with it. Rejects with REGISTRY_NOT_FOUND for an unknown check, and with
   * STORE_FAILED; does nothing where another node leads by then.
   */
  report(node: string, id: string, status: CheckStatus, output: string, cause: Cause): Promise<void> {
    const { catalog, enqueue, commits, cluster } = this.#options;
    return enqueue(
      () => touchedNodesScope(catalog, [node], ''),
      async () => {
        const check = catalog.check(node, id);
        if (!check) throw new VaneError('REGISTRY_NOT_FOUND', `Unknown check ID ${JSON.stringify(id)}`);
        // Outputs that change all the time would wake everybody for nothing.
        if (check.status === status && check.output !== '') return;
        if (check.status === status && output === '') return;
        const { createIndex: _, modifyIndex: __, ...row } = check;
        const changes: Change[] = [{ op: 'put-check', check: { ...row, status, output }, update: true }];
        if (cluster) await cluster.commitAsLeader(changes, cause);
        else await commits.commit(changes, { rows: 0, kvBytes: 0 }, cause);
      },
    );
  }
}
