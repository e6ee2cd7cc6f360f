import { z } from 'zod';
import type { Role } from './server-facts.ts';
import { newVipState, type VipState } from './vip-state.ts';

/** A server as the configuration has it: what is saved is only of use while all of them are the same. */
export interface SavedServer {
  readonly id: string;
  readonly role: Role;
  readonly host: string;
  readonly port: number;
}

/** What outlives a restart. Times are wall clock ms: the clock begins anew with each process. */
const savedVip = z.strictObject({
  servers: z.array(
    z.strictObject({ id: z.string(), role: z.enum(['master', 'slave']), host: z.string(), port: z.int() }),
  ),
  master: z.string(),
  epoch: z.int().min(0),
  owner: z.string().optional(),
  parted: z.string().optional(),
  demoted: z.string().optional(),
  promotedAt: z.number().optional(),
  promotion: z.strictObject({ server: z.string(), planned: z.boolean() }).optional(),
  notPromoted: z.string().optional(),
  moves: z.array(z.number()),
  frozen: z.union([z.number(), z.literal('for good')]).optional(),
  paused: z.boolean(),
  drained: z.array(z.string()),
  away: z.boolean(),
});

export type SavedVip = z.infer<typeof savedVip>;

/** Of all VIPs, by name. */
export const savedVips = z.strictObject({ version: z.literal(1), vips: z.record(z.string(), savedVip) });

/** @param offset from clock ms to wall clock ms */
export function savedOf(state: VipState, servers: readonly SavedServer[], offset: number): SavedVip {
  const { epoch, owner, parted, demoted, promotedAt, promotion, notPromoted, moves, standing } = state;
  const { frozenUntil, paused, drained, away } = standing;
  const frozen =
    frozenUntil === undefined || Number.isFinite(frozenUntil)
      ? frozenUntil && Math.round(frozenUntil + offset)
      : ('for good' as const);
  return {
    servers: servers.map(({ id, role, host, port }) => ({ id, role, host, port })),
    master: state.servers.find(({ role }) => role === 'master')?.id ?? '',
    ...{ epoch, owner, parted, demoted, notPromoted, frozen },
    promotedAt: promotedAt && Math.round(promotedAt + offset),
    promotion: promotion && { ...promotion },
    moves: moves.map((at) => Math.round(at + offset)),
    ...{ paused, drained: [...drained], away },
  };
}

/**
 * The state to begin with after a restart: nothing is known of the servers, but who had clients and what operators have
 * said. Undefined: what was saved is about other servers than these.
 */
export function restoredState(
  saved: SavedVip,
  servers: readonly SavedServer[],
  now: number,
  offset: number,
): VipState | undefined {
  if (!isAbout(saved, servers)) return undefined;
  const begun = newVipState(
    servers.map(({ id }) => ({ id, role: id === saved.master ? ('master' as const) : ('slave' as const) })),
    now,
  );
  const { epoch, owner, parted, demoted, promotedAt, promotion, notPromoted, frozen } = saved;
  const { paused, drained, away } = saved;
  const frozenUntil = frozen === 'for good' ? Number.POSITIVE_INFINITY : frozen && frozen - offset;
  return {
    ...begun,
    reason: 'nothing is known yet but what was before the restart',
    ...{ epoch, owner, parted, demoted, promotion, notPromoted },
    promotedAt: promotedAt && promotedAt - offset,
    moves: saved.moves.map((at) => at - offset),
    standing: { frozenUntil, paused, drained, away },
  };
}

function isAbout(
  { servers: saved, master, owner, demoted }: SavedVip,
  servers: readonly SavedServer[],
): boolean {
  const isSame = ({ id, role, host, port }: SavedServer, other: SavedServer | undefined) =>
    other?.id === id && other.role === role && other.host === host && other.port === port;
  const known = new Set(servers.map(({ id }) => id));
  return (
    saved.length === servers.length &&
    servers.every((server, i) => isSame(server, saved[i])) &&
    known.has(master) &&
    (owner === undefined || known.has(owner)) &&
    (demoted === undefined || known.has(demoted))
  );
}
