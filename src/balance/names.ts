/** Names of servers, unique in the backend, each held by one id until it is let go of. */
export class Names {
  readonly #holders = new Set<string>();

  /** The wanted name, or `name@address:port` while another server holds that. */
  take(wanted: string, id: string): string {
    let name = wanted;
    // Again only if somebody calls a server what another one got by this very rule.
    while (this.#holders.has(name)) name = `${name}@${id}`;
    this.#holders.add(name);
    return name;
  }

  release(name: string): void {
    this.#holders.delete(name);
  }
}
