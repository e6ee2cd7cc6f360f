/** What attempts have taken of a request's body, as long as it is little enough to be sent again. */
export class KeptBody {
  #pieces: Buffer[] = [];
  #taken = 0;
  #lost = false;

  /** Some was not kept: the body cannot be sent again. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Bytes that were taken, kept or not. */
  get taken(): number {
    return this.#taken;
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** @param most bytes that are kept of a body; of a longer one none are */
  add(piece: Buffer, most: number): void {
    this.#taken += piece.length;
    if (this.#lost) return;
    this.#lost = this.#taken > most;
    if (this.#lost) this.#pieces = [];
    else this.#pieces.push(piece);
  }
}
