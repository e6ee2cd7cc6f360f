import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Coordination } from './cluster/coordination.ts';
import { timeOf } from './cluster/plans.ts';
import type { CommandQueue, Scope } from './command-queue.ts';
import type { Commits } from './commits.ts';
import { fold } from './fold.ts';
import type { Cause, Session, Unindexed } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { checkScope, endingScopes, nodeScope, sessionScope } from './scopes.ts';
import { SessionExpiry } from './session-expiry.ts';
import { findSession, requireSessionId } from './session-id.ts';
import { checksNamedBy } from './session-table.ts';
import type { Effect } from './tables.ts';

export type SessionRequest = Omit<Unindexed<Session>, 'id'>;

export interface SessionsOptions {
  readonly catalog: CatalogReader;
  readonly enqueue: CommandQueue['run'];
  readonly commits: Commits;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
  /** Undefined: no other node shares the registry, and this one watches over sessions. */
  readonly coordination: Coordination | undefined;
}

/** Creates, renews and ends sessions: https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #expiry: SessionExpiry;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#expiry = new SessionExpiry({ clock, log, end: (id, due) => this.#expire(id, due) });
  }

  /** Resolves to the new session's id. Rejects with REGISTRY_INVALID if its node or a check is not there or critical. */
  create(request: SessionRequest, cause: Cause): Promise<string> {
    const { catalog, enqueue, commits, newId } = this.#options;
    return enqueue(
      () => this.#creationScope(request),
      async () => {
        requireAlive(catalog, request);
        const session = { ...request, id: newId() };
        await commits.commit([{ op: 'put-session', session }], { rows: 1, kvBytes: 0 }, cause);
        return session.id;
      },
    );
  }

  /** An unknown session is no error. Rejects with REGISTRY_INVALID for what is no id. */
  async destroy(id: string, cause: Cause): Promise<void> {
    requireSessionId(id);
    await this.#end(id.toLowerCase(), () => true, cause);
  }

  /**
   * Starts a session's time anew; resolves to undefined when there is none. Rejects with REGISTRY_INVALID for what is no
   * id, and with STORE_FAILED when those who share the registry could not be told.
   */
  async renew(id: string): Promise<Session | undefined> {
    const { catalog, coordination } = this.#options;
    const session = findSession(catalog, id);
    if (!session || !coordination) {
      if (session) this.#expiry.renew(session);
      return session;
    }
    const isThere = session.ttlMs === 0 || (await coordination.renewSession(session.id, timeOf(session).ms));
    return isThere ? session : undefined;
  }

  /** Takes in what has been loaded. */
  restore(): void {
    if (this.#options.coordination) return;
    for (const session of this.#options.catalog.sessions.all().value) this.#expiry.renew(session);
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    if (!this.#options.coordination) this.#expiry.reflect(effects);
  }

  /** No session expires any more. */
  stop(): void {
    this.#expiry.stop();
  }

  #expire(id: string, due: () => boolean): Promise<void> {
    return this.#end(id, due, { by: 'registry', what: 'session TTL' });
  }

  #end(id: string, due: () => boolean, cause: Cause): Promise<void> {
    const { catalog, enqueue, commits } = this.#options;
    return enqueue(
      () => {
        const session = catalog.sessions.get(id).value;
        return session ? endingScopes(catalog, [session]) : [sessionScope(id)];
      },
      async () => {
        if (!catalog.sessions.get(id).value || !due()) return;
        await commits.commit([{ op: 'delete-session', id }], { rows: -1, kvBytes: 0 }, cause);
      },
    );
  }

  /** On this node commands go by check; on any other by node. */
  #creationScope(request: SessionRequest): Scope {
    const own = fold(request.node) === fold(this.#options.catalog.self);
    return own ? checksNamedBy(request).map(checkScope) : [nodeScope(request.node)];
  }
}

function requireAlive(catalog: CatalogReader, request: SessionRequest): void {
  const { node } = request;
  if (!catalog.node(node).value) throw new VaneError('REGISTRY_INVALID', 'Missing node registration');
  for (const id of checksNamedBy(request)) {
    const check = catalog.check(node, id);
    if (!check) throw new VaneError('REGISTRY_INVALID', `Missing check '${id}' registration`);
    if (check.status !== 'critical') continue;
    throw new VaneError('REGISTRY_INVALID', `Check '${id}' is in critical state`);
  }
}
