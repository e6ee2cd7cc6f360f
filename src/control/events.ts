import type { Transition } from '../balance/members.ts';
import { serverId } from '../balance/server.ts';
import type { Log } from '../core/log.ts';
import type { DrainCounters } from './view.ts';

/** One line in the log for each change of what a server may do, and why. */
export function logTransition(log: Log, backend: string, transition: Transition, open: number): void {
  const { member, from, to, source, why } = transition;
  const { name: server, address, port } = member.snapshot;
  const fields = { backend, server, address: serverId(address, port), from, to, source, why, open };
  const message = `server ${backend}/${server} ${WORDS[to]}`;
  const isBad = from === 'open' && source !== 'operator' && source !== 'panic';
  if (isBad) log.warn(fields, message);
  else log.info(fields, message);
}

const WORDS: Record<Transition['to'], string> = {
  open: 'takes requests',
  draining: 'gets no new requests',
  closed: 'is out of use',
  gone: 'is gone',
};

/** Counts the drains of one backend. */
export class DrainTally {
  #started = 0;
  #finished = 0;
  #expired = 0;
  #cancelled = 0;

  record({ from, to, ended }: Transition): void {
    if (to === 'draining') this.#started++;
    if (from !== 'draining') return;
    if (to === 'open') this.#cancelled++;
    else if (ended === 'deadline') this.#expired++;
    else this.#finished++;
  }

  read(): DrainCounters {
    return {
      started: this.#started,
      finished: this.#finished,
      expired: this.#expired,
      cancelled: this.#cancelled,
    };
  }
}
