import { VaneError } from '../core/errors.ts';
import type { CommandQueue } from './command-queue.ts';
import type { Commits } from './commits.ts';
import { expectQueries } from './expectations.ts';
import { fold } from './fold.ts';
import type { Cause, PreparedQuery, Unindexed } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { sessionScope } from './scopes.ts';
import { findSession } from './session-id.ts';

export type PreparedQueryRequest = Omit<Unindexed<PreparedQuery>, 'id'>;

export interface PreparedQueriesOptions {
  readonly catalog: CatalogReader;
  readonly enqueue: CommandQueue['run'];
  readonly commits: Commits;
  readonly newId: () => string;
}

/** One at a time, as each name must be the only one. */
const SCOPE = 'prepared queries';

/** Writes of prepared queries: https://developer.hashicorp.com/consul/api-docs/query */
export class PreparedQueries {
  readonly #options: PreparedQueriesOptions;

  constructor(options: PreparedQueriesOptions) {
    this.#options = options;
  }

  /** Resolves to the new query's id. Rejects with REGISTRY_INVALID for a name that is taken or an unknown session. */
  create(request: PreparedQueryRequest, cause: Cause): Promise<string> {
    return this.#options.enqueue(
      () => scopeOf(request),
      async () => {
        const id = this.#options.newId();
        await this.#put({ ...request, id }, 1, cause);
        return id;
      },
    );
  }

  /** Rejects with REGISTRY_NOT_FOUND for an unknown query, else as {@link create}. */
  update(id: string, request: PreparedQueryRequest, cause: Cause): Promise<void> {
    return this.#options.enqueue(
      () => scopeOf(request),
      async () => {
        const known = this.#known(id);
        await this.#put({ ...request, id: known.id }, 0, cause);
      },
    );
  }

  /** Rejects with REGISTRY_NOT_FOUND for an unknown query. */
  delete(id: string, cause: Cause): Promise<void> {
    const { enqueue, commits } = this.#options;
    return enqueue(
      () => [SCOPE],
      async () => {
        const known = this.#known(id);
        await commits.commit([{ op: 'delete-query', id: known.id }], { rows: -1, kvBytes: 0 }, cause);
      },
    );
  }

  async #put(query: Unindexed<PreparedQuery>, rows: number, cause: Cause): Promise<void> {
    const { catalog, commits } = this.#options;
    if (query.session !== '' && !findSession(catalog, query.session)) {
      throw new VaneError('REGISTRY_INVALID', `invalid session "${query.session}"`);
    }
    const taken = query.name === '' ? undefined : catalog.queries.find(query.name);
    if (taken && taken.id !== query.id) {
      const what = fold(taken.name) === fold(query.name) ? 'name' : 'ID';
      throw new VaneError('REGISTRY_INVALID', `name '${query.name}' aliases an existing query ${what}`);
    }
    const expects = [expectQueries(catalog)];
    await commits.commit([{ op: 'put-query', query }], { rows, kvBytes: 0 }, cause, { expects });
  }

  #known(id: string): PreparedQuery {
    const known = this.#options.catalog.queries.find(id);
    if (known && known.id === id.toLowerCase()) return known;
    throw new VaneError('REGISTRY_NOT_FOUND', `Cannot modify non-existent prepared query: '${id}'`);
  }
}

function scopeOf({ session }: PreparedQueryRequest): string[] {
  return session === '' ? [SCOPE] : [SCOPE, sessionScope(session)];
}
