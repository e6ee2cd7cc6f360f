/** What an operator can have a VIP do. */
export type Order =
  /** Away from the master, which works: to a slave, or in mode `promote` to a new master. */
  | { readonly do: 'switchover'; readonly to: string | undefined }
  /** Back to the master; `force` does without what is only prudent. */
  | { readonly do: 'failback'; readonly force: boolean }
  /** Nobody is led elsewhere until `unfreeze`, or for so many ms. */
  | { readonly do: 'freeze'; readonly time: number | undefined }
  | { readonly do: 'unfreeze' | 'pause' | 'resume' }
  /** A slave is not used, or is again. */
  | { readonly do: 'drain' | 'ready'; readonly server: string }
  /** A slave becomes the master in place of one that is dead; `again`: although one has just been promoted. */
  | { readonly do: 'promote'; readonly to: string | undefined; readonly again: boolean }
  /** A master of before is the slave of the one that was promoted. */
  | { readonly do: 'rejoin'; readonly server: string };

/** What operators have said that holds until they say otherwise. */
export interface Standing {
  /** Nobody is led elsewhere until then (clock ms, which may be infinite). */
  readonly frozenUntil: number | undefined;
  /** New clients are held. */
  readonly paused: boolean;
  /** Slaves that are not to be used. */
  readonly drained: readonly string[];
  /** Clients were led away from a master that works, and go back only when told. */
  readonly away: boolean;
}

export function newStanding(): Standing {
  return { frozenUntil: undefined, paused: false, drained: [], away: false };
}

export function isFrozen({ frozenUntil }: Standing, now: number): boolean {
  return frozenUntil !== undefined && now < frozenUntil;
}
