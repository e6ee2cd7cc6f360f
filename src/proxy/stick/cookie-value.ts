import { createHmac } from 'node:crypto';

/** What our cookie says: a server, and when the client was last and first seen (whole seconds; 0: not said). */
export interface CookieClaim {
  readonly server: string;
  readonly last: number;
  readonly first: number;
}

const SIXTY_FOUR = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DATE = /^[A-Za-z0-9+/]{5}/;
/** Dates count in units of four seconds, rounded up: 30 bits are enough for 136 years. */
const UNIT_S = 4;

/**
 * The value that stands for a server: of its name, so that an instance that returns gets its clients back and all load
 * balancers with the same key agree; opaque, so that neither name nor address can be read from it.
 */
export function serverValue(key: string, name: string): string {
  return createHmac('sha256', key).update(name).digest('hex').slice(0, 16);
}

/** Reads `SERVER`, `SERVER|LAST` or `SERVER|LAST|FIRST`, as HAProxy writes them with maxidle and maxlife. */
export function readClaim(value: string): CookieClaim {
  const [server = '', last = '', first = ''] = value.split('|', 3);
  return { server, last: readDate(last), first: readDate(first) };
}

/**
 * @param last seconds; undefined: the cookie has no dates
 * @param first seconds; undefined: it has one date
 */
export function writeClaim(server: string, last: number | undefined, first: number | undefined): string {
  if (last === undefined) return server;
  const dates = `${server}|${writeDate(last)}`;
  return first === undefined ? dates : `${dates}|${writeDate(first)}`;
}

function readDate(text: string): number {
  const [digits] = DATE.exec(text) ?? [];
  if (digits === undefined) return 0;
  let units = 0;
  for (const digit of digits) units = units * 64 + SIXTY_FOUR.indexOf(digit);
  return units * UNIT_S;
}

function writeDate(seconds: number): string {
  let units = Math.ceil(seconds / UNIT_S);
  let text = '';
  for (let i = 0; i < 5; i++) {
    text = (SIXTY_FOUR[units % 64] ?? 'A') + text;
    units = Math.floor(units / 64);
  }
  return text;
}
