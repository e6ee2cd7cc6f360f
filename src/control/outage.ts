/** How often and how long something was not there. Times are clock ms. */
export class Outage {
  #up: boolean;
  #since: number;
  #downs = 0;
  #downtime = 0;

  constructor(up: boolean, now: number) {
    this.#up = up;
    this.#since = now;
  }

  /** True when this is a change. */
  record(up: boolean, now: number): boolean {
    if (up === this.#up) return false;
    if (up) this.#downtime += now - this.#since;
    else this.#downs++;
    this.#up = up;
    this.#since = now;
    return true;
  }

  read(now: number): {
    readonly up: boolean;
    readonly since: number;
    readonly downs: number;
    readonly downtime: number;
  } {
    const running = this.#up ? 0 : now - this.#since;
    return { up: this.#up, since: this.#since, downs: this.#downs, downtime: this.#downtime + running };
  }
}
