import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { fold } from '../fold.ts';
import type { CatalogReader } from '../reader.ts';
import type { Effect } from '../tables.ts';
import type { Coordination, Standing } from './coordination.ts';
import { lapsedNodes, planFailed, sessionsWithTtl, timeOf, vaneNodes } from './plans.ts';

export interface LeaderDutiesOptions {
  readonly coordination: Coordination;
  readonly catalog: CatalogReader;
  readonly clock: Clock;
  readonly log: Log;
}

/** Consul's `reconnect_timeout`: a node that has been away for so long does not come back. */
const GONE_MS = 72 * 60 * 60 * 1_000;
/** How often such nodes are looked for, ms. */
const GONE_EVERY_MS = 10 * 60 * 1_000;

/**
 * What one node does for all: takes those for dead whose leases have lapsed, ends sessions that are not renewed, and
 * removes nodes that have been away for days. Each commit is made only if this node leads at that very moment, so that
 * a former leader that does not know it yet does no harm.
 */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions;
  /** Undefined: another node leads. */
  #token: string | undefined;
  #goneAt = Number.NEGATIVE_INFINITY;

  constructor(options: LeaderDutiesOptions) {
    this.#options = options;
  }

  /** Resolves to whether all could be done. */
  async perform(token: string, standing: Standing): Promise<boolean> {
    const { log } = this.#options;
    try {
      await this.#watchSessions(token, standing);
      this.#token = token;
      await this.#failLapsed(token, standing);
      await this.#endSessions(token, standing);
      await this.#removeGone(token, standing);
      return true;
    } catch (thrown) {
      log.warn({ error: messageOf(thrown) }, 'leader of the registry could not do all of its work');
      return false;
    }
  }

  /** Another one leads, or none. */
  retire(): void {
    this.#token = undefined;
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    if (this.#token === undefined) return;
    for (const effect of effects) {
      if (effect.table === 'node' && !effect.after)
        this.#try(this.#options.coordination.forgetLapsed(0, effect.rows.node.node));
      if (effect.table !== 'session') continue;
      const { before, after } = effect;
      if (after && after.ttlMs > 0)
        this.#try(this.#options.coordination.watchSessions([timeOf(after)], false));
      else if (before && before.ttlMs > 0) this.#try(this.#options.coordination.unwatchSession(before.id));
    }
  }

  /** What failed here is mended by a later {@link perform}. */
  #try(work: Promise<void>): void {
    work.catch((thrown: unknown) => {
      this.#options.log.debug({ error: messageOf(thrown) }, 'leader could not take note of a change yet');
    });
  }

  /** A change of leader counts as a renewal, as in Consul: nobody could be heard meanwhile. */
  async #watchSessions(token: string, { watched }: Standing): Promise<void> {
    const { catalog, coordination } = this.#options;
    const sessions = sessionsWithTtl(catalog);
    if (token !== this.#token) await coordination.watchSessions(sessions, true);
    else if (watched < sessions.length) await coordination.watchSessions(sessions, false);
  }

  async #failLapsed(token: string, { live, steady }: Standing): Promise<void> {
    const { catalog, coordination, log } = this.#options;
    if (steady < coordination.lease) return;
    for (const check of lapsedNodes(catalog, live)) {
      const { node } = check;
      const cause = { by: 'registry', what: 'lease lapsed' } as const;
      const isOver = await coordination.commitIf(
        token,
        { kind: 'lapsed', node, ms: 0 },
        planFailed(check),
        cause,
      );
      if (isOver) log.warn({ node }, 'node has not renewed its lease: its instances get no traffic');
    }
  }

  async #endSessions(token: string, { due }: Standing): Promise<void> {
    const { catalog, coordination } = this.#options;
    for (const id of due) {
      if (!catalog.sessions.get(id).value) await coordination.unwatchSession(id);
      else {
        const cause = { by: 'registry', what: 'session TTL' } as const;
        await coordination.commitIf(
          token,
          { kind: 'due', session: id },
          [{ op: 'delete-session', id }],
          cause,
        );
      }
    }
  }

  async #removeGone(token: string, { live }: Standing): Promise<void> {
    const { catalog, coordination, clock } = this.#options;
    if (clock.now() - this.#goneAt < GONE_EVERY_MS) return;
    this.#goneAt = clock.now();
    for (const { node } of vaneNodes(catalog)) {
      if (live.has(fold(node))) continue;
      const cause = { by: 'reaper', what: 'node gone for 72h' } as const;
      await coordination.commitIf(
        token,
        { kind: 'lapsed', node, ms: GONE_MS },
        [{ op: 'delete-node', node }],
        cause,
      );
    }
    await coordination.forgetLapsed(GONE_MS, undefined);
  }
}
