/** A session at a server that nobody uses any more, though the server may not know that yet. */
export interface Orphan {
  /** What the server called it in its greeting. */
  readonly threadId: number;
  /** The port that the server sees it come from: ids begin anew when a server does, and must not hit somebody else. */
  readonly port: number;
}

/** What became of them: ended by KILL, gone by themselves, or there still, as the account may not end them. */
export interface KilledCounts {
  readonly killed: number;
  readonly gone: number;
  readonly refused: number;
}

/** More than that at once, and the oldest are left to the server. */
const MOST = 10_000;

/**
 * Sessions that were broken off while their server did something for them. It goes on with that until it next looks at
 * the connection, and where the network is broken too it never hears of the end: an open transaction keeps its locks.
 * So they are ended by their ids, as soon as the server answers.
 */
export class Orphans {
  readonly #byServer = new Map<string, Orphan[]>();

  note(server: string, orphan: Orphan): void {
    const orphans = this.#byServer.get(server) ?? [];
    this.#byServer.set(server, orphans);
    orphans.push(orphan);
    if (orphans.length > MOST) orphans.shift();
  }

  /**
   * Ends those of a server, which answers; undefined: there are none, or it could not be done.
   * @param kill undefined or its result: it has not been done
   */
  async end(
    server: string,
    kill: (orphans: readonly Orphan[]) => Promise<KilledCounts | undefined> | undefined,
  ): Promise<KilledCounts | undefined> {
    const orphans = this.#byServer.get(server);
    if (!orphans) return undefined;
    this.#byServer.delete(server);
    const counts = await kill(orphans);
    if (!counts) for (const orphan of orphans) this.note(server, orphan);
    return counts;
  }
}
