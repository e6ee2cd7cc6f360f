/** Names of servers, unique in the backend, each held by one id until it is let go of. */
export class Names {
  readonly #holders = new Map<string, string>();

  /** Who has this name. */
  holder(name: string): string | undefined {
    return this.#holders.get(name);
  }

  /**
   * The wanted name, or `name@address:port` while another server holds that.
   * @param where the server's address and port
   */
  take(wanted: string, id: string, where: string): string {
    let name = wanted;
    // Again only if somebody calls a server what another one got by this very rule.
    while (this.#holders.has(name)) name = `${name}@${where}`;
    this.#holders.set(name, id);
    return name;
  }

  release(name: string): void {
    this.#holders.delete(name);
  }
}
