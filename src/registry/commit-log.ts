import type { Log } from '../core/log.ts';
import { fold } from './fold.ts';
import type { Check, Committed } from './model.ts';
import type { Effect } from './tables.ts';

type CheckEffect = Extract<Effect, { table: 'check' }>;

/** Outputs can be long, and are in the catalog in full. */
const OUTPUT_SHOWN = 200;

/** What becomes of an instance with a warning. */
export type OnWarning = 'still gets traffic' | 'gets no traffic';

/**
 * One line for each thing that came, went or changed its status, with who asked for it. Outputs alone: none, nor
 * keys, which applications write as they please.
 */
export function logCommit(
  log: Log,
  committed: Committed,
  effects: readonly Effect[],
  onWarning: OnWarning,
): void {
  const { by, what } = committed.cause;
  const gone = new Set(effects.flatMap(goneWithItsChecks));
  for (const effect of effects) {
    switch (effect.table) {
      case 'node': {
        const { node, address } = effect.after ?? effect.rows.node;
        log.info({ node, address, by, what }, `node ${verb(effect)}`);
        break;
      }
      case 'service': {
        const row = effect.after ?? effect.before;
        if (!row) break;
        const { service, id, node, address, port } = row;
        log.info({ service, id, node, address, port, by, what }, `service ${verb(effect)}`);
        break;
      }
      case 'check':
        logCheck(log, effect, gone, { by, what }, onWarning);
        break;
      case 'session': {
        const row = effect.after ?? effect.before;
        if (!row) break;
        const { id: session, name, node } = row;
        log.info({ session, name, node, by, what }, `session ${effect.after ? 'created' : 'ended'}`);
        break;
      }
      case 'query': {
        const row = effect.after ?? effect.before;
        if (!row) break;
        const { id: query, name, service } = row;
        log.info({ query, name, service, by, what }, `prepared query ${verb(effect)}`);
      }
    }
  }
}

function logCheck(
  log: Log,
  { before, after }: CheckEffect,
  gone: Set<string>,
  cause: object,
  onWarning: OnWarning,
): void {
  if (!after) {
    if (before && !ownersOf(before).some((owner) => gone.has(owner))) {
      log.info({ ...subject(before), ...cause }, 'check deregistered');
    }
    return;
  }
  if (!before) {
    log.info({ ...subject(after), status: after.status, ...cause }, 'check registered');
  } else if (before.status !== after.status) {
    const output = after.output.slice(0, OUTPUT_SHOWN);
    const fields = { ...subject(after), from: before.status, to: after.status, output, ...cause };
    if (after.status === 'warning') log.warn(fields, `check warning: instance ${onWarning}`);
    else log.info(fields, 'check status changed');
  }
}

function subject({ id, node, serviceId, serviceName }: Check): object {
  const fields = { check: id, node };
  return serviceId === '' ? fields : { ...fields, service: serviceName, id: serviceId };
}

function verb({ before, after }: { readonly before: unknown; readonly after: unknown }): string {
  if (!after) return 'deregistered';
  return before ? 'updated' : 'registered';
}

/** The lines about these stand for those about their checks too. */
function goneWithItsChecks(effect: Effect): string[] {
  if (effect.after || !effect.before) return [];
  if (effect.table === 'node') return [nodeKey(effect.before.node)];
  return effect.table === 'service' ? [instanceKey(effect.before.node, effect.before.id)] : [];
}

function ownersOf(check: Check): string[] {
  return [nodeKey(check.node), instanceKey(check.node, check.serviceId)];
}

function nodeKey(node: string): string {
  return fold(node);
}

function instanceKey(node: string, id: string): string {
  return `${fold(node)}\0${fold(id)}`;
}
