import type { Clock } from '../../../core/clock.ts';

/** The time of day as heads say it (RFC 9110, section 5.6.7), written anew once a second. */
export class DateText {
  readonly #clock: Clock;
  #second = Number.NaN;
  #text = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): string {
    const wall = this.#clock.wall();
    const second = Math.floor(wall / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(wall).toUTCString();
    }
    return this.#text;
  }
}
