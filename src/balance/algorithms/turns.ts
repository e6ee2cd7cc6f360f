import type { ServerSnapshot } from '../server.ts';

/** A server's place in the round. */
export interface Turn {
  server: ServerSnapshot;
  /** Whether it takes part in the next choice; set by whoever asks for one. */
  candidate: boolean;
  /** Turns it is owed (above 0) or has had in advance (below 0): always within -1 … 1. */
  credit: number;
}

/**
 * Sums of fractions are never exact: who lacks less than this to 0 is not in debt, and two turns that are due
 * within this part of each other are due together, so that the servers' order decides and not the noise.
 */
const ROUNDING = 1e-9;

/**
 * Weighted round robin, as evenly spread as weights allow: worst-case fair queueing (WF2Q, Bennett and Zhang
 * 1996) with turns for packets. Every turn each candidate earns its share of one; whoever is not in debt may
 * be chosen, and of those the one whose turn is due first, which then pays for it. So over any number of turns
 * nobody is a whole turn ahead of its share or behind it.
 *
 * Credits count in turns of the server's own. Unlike those of nginx's smooth round robin, which count in total
 * weight, they stay right when weights change or a heavy server leaves: it takes nobody long to pay back or
 * to catch up.
 */
export class Turns {
  #all: readonly Turn[] = [];

  get all(): readonly Turn[] {
    return this.#all;
  }

  /** A new server starts owed nothing, so it gets its share from now on and no more. */
  rebuild(servers: readonly ServerSnapshot[]): void {
    const before = new Map<string, Turn>();
    for (const turn of this.#all) before.set(turn.server.id, turn);
    this.#all = servers.map((server) => {
      const turn = before.get(server.id);
      if (!turn) return { server, candidate: false, credit: 0 };
      turn.server = server;
      return turn;
    });
  }

  /** Takes the next turn among the candidates. */
  next(): ServerSnapshot | undefined {
    let weights = 0;
    let due: Turn | undefined;
    let dueIn = Infinity;
    let solvent: Turn | undefined;
    let solventIn = Infinity;
    for (const turn of this.#all) {
      if (!turn.candidate) continue;
      const { weight } = turn.server;
      weights += weight;
      if (turn.credit >= -ROUNDING) {
        const wait = (1 - turn.credit) / weight;
        if (!due || wait < dueIn * (1 - ROUNDING)) {
          due = turn;
          dueIn = wait;
        }
      } else if (-turn.credit / weight < solventIn) {
        solvent = turn;
        solventIn = -turn.credit / weight;
      }
    }
    if (due) return this.#take(due, 1 / weights);
    // All that are left have been served in advance: time passes until the first has paid it back.
    return solvent && this.#take(solvent, 1 / weights + solventIn);
  }

  #take(chosen: Turn, time: number): ServerSnapshot {
    chosen.credit -= 1;
    for (const turn of this.#all) {
      const earned = turn.server.weight * time;
      // Never owed more than one turn: nobody is flooded to make up for a time when others were chosen.
      if (turn.candidate) turn.credit = Math.min(1, turn.credit + earned);
      // Out of the running it pays back, but earns nothing.
      else if (turn.credit < 0) turn.credit = Math.min(0, turn.credit + earned);
    }
    return chosen.server;
  }
}
