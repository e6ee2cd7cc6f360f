import { z } from 'zod';

/** What stands agreed of a VIP among all that share a registry. */
const agreed = z.object({
  version: z.literal(1),
  /** The servers and their roles as they are configured: who is configured otherwise has nothing to do with it. */
  servers: z.string(),
  /** Each has one target: it is written by whoever finds the key as it was with the epoch before. */
  epoch: z.int().min(1),
  target: z.string(),
  /** The node that has decided it. */
  by: z.string(),
  /** Clients were led away from a master that works, and go back only when told. */
  away: z.boolean(),
  master: z.string(),
  /** The master of before, until it is a slave. */
  demoted: z.string().optional(),
  /** When that one was promoted, wall clock ms; 0: none has been. */
  promotedAt: z.number(),
});

export type Agreed = z.infer<typeof agreed>;

/** What one Vane takes for true by itself. */
export type Opinion = Pick<Agreed, 'epoch' | 'away' | 'master' | 'demoted' | 'promotedAt'> & {
  /** Undefined: it leads nobody anywhere at the moment. */
  readonly target: string | undefined;
};

/** Undefined: that is nothing that this version has written. */
export function parseAgreed(value: Uint8Array): Agreed | undefined {
  try {
    const result = agreed.safeParse(JSON.parse(new TextDecoder().decode(value)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What the one that decides writes in place of what stands; undefined: it has nothing else to say. Another target is
 * another epoch, after all that it knows of.
 */
export function nextAgreed(
  standing: Agreed | undefined,
  { epoch, target, away, master, demoted, promotedAt }: Opinion,
  { servers, by }: Pick<Agreed, 'servers' | 'by'>,
): Agreed | undefined {
  if (target === undefined) return undefined;
  const isSame = standing?.servers === servers && standing.target === target;
  const facts = { version: 1 as const, servers, target, by, away, master, promotedAt };
  const next = {
    ...(demoted === undefined ? facts : { ...facts, demoted }),
    epoch: isSame ? standing.epoch : Math.max(standing?.epoch ?? 0, epoch) + 1,
  };
  const isOld =
    isSame &&
    standing.away === away &&
    standing.master === master &&
    standing.demoted === demoted &&
    standing.promotedAt === promotedAt;
  return isOld ? undefined : next;
}
