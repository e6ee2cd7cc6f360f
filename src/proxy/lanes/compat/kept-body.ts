/** What attempts have taken of a request's body, as long as it is little enough to be sent again. */
export class KeptBody {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #lost = false;

  /** Some was not kept: the body cannot be sent again. */
  get lost(): boolean {
    return this.#lost;
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** @param most bytes that are kept of a body; of a longer one none are */
  add(piece: Buffer, most: number): void {
    if (this.#lost) return;
    this.#bytes += piece.length;
    this.#lost = this.#bytes > most;
    if (this.#lost) this.#pieces = [];
    else this.#pieces.push(piece);
  }
}
