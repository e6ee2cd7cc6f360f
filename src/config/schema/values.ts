import { z } from 'zod';
import { type HostPort, parseBind, parseHost, parseHostPort } from '../address.ts';
import { parseBindLine } from '../bind-line.ts';
import { EXPECTED_DURATION, parseDuration } from '../duration.ts';
import { type Parsed, parsed, unparsed } from '../parsed.ts';
import type { ClientBind } from '../runtime/binds.ts';

/** What {@link parsedBy} puts into an issue's `params`, for whoever turns issues into problems. */
export interface IssueParams {
  readonly offset?: number | undefined;
  readonly suggestion?: string | undefined;
}

/** A step of a schema that reads a value by one of this room's parsers. */
export function parsedBy<In, Out>(parse: (input: In) => Parsed<Out>) {
  return (input: In, context: z.RefinementCtx): Out => {
    const result = parse(input);
    if (result.ok) return result.value;
    const params: IssueParams = { offset: result.offset, suggestion: result.suggestion };
    context.addIssue({ code: 'custom', message: result.message, params: { ...params } });
    return z.NEVER;
  };
}

/** A duration in HAProxy's format, read as milliseconds. `pattern` is for editors; the parser decides. */
export function duration(leastMs: 0 | 1) {
  return z
    .union([z.string().meta({ pattern: '^\\d+(us|ms|s|m|h|d)?$' }), z.int().min(0)], {
      error: EXPECTED_DURATION,
    })
    .transform(
      parsedBy((input: string | number): Parsed<number> => {
        const ms = parseDuration(input);
        return ms.ok && ms.value < leastMs ? unparsed('must be at least 1ms: 0 would be no time at all') : ms;
      }),
    );
}

/** A whole number within bounds, both included. */
export function whole(least: number, most: number) {
  return z.int().min(least).max(most);
}

/** An address to listen on. */
export function bind() {
  return z.string().transform(parsedBy(parseBind));
}

/** An address that a frontend listens on, and how. */
export function bindLine() {
  return z.string().transform(parsedBy(parseBindLine));
}

/** An address that clients come to in the clear. */
export function clientBind() {
  return z.string().transform(
    parsedBy((text: string): Parsed<ClientBind> => {
      const line = parseBindLine(text);
      if (!line.ok) return line;
      const { ssl, proto, ...clear } = line.value;
      if (proto) return unparsed('proto is for frontends of mode http', proto.offset);
      return ssl ? unparsed('ssl is between client and server here', text.indexOf('ssl')) : parsed(clear);
    }),
  );
}

/** `host:port`, as written and as understood. */
export interface WrittenAddress extends HostPort {
  readonly text: string;
}

export function hostPort() {
  return z.string().transform(
    parsedBy((text: string): Parsed<WrittenAddress> => {
      const address = parseHostPort(text);
      return address.ok ? parsed({ ...address.value, text }) : address;
    }),
  );
}

export function host() {
  return z.string().transform(
    parsedBy((text: string): Parsed<string> => {
      const result = parseHost(text);
      return result.ok ? parsed(result.value.host) : result;
    }),
  );
}

/** One value, or a list of at least `least` of them; always read as a list. */
export function listOf<T extends z.ZodType>(item: T, least = 0) {
  return z.union([item.transform((one) => [one]), z.array(item).min(least)]);
}

/**
 * Keys that must be there, for editors. It is `resolve.ts` that insists: were it the schema, a bad value would
 * count as a missing one, and hide what else is wrong with its neighbours.
 */
export function requires(...keys: readonly string[]) {
  return { required: keys };
}

/** Names of frontends, backends, resolvers and acls are made as in HAProxy (configuration manual, section 4). */
export const NAME_PATTERN = /^[A-Za-z0-9_.:-]{1,128}$/;

/** A mapping from names to things of one kind. */
export function named<T extends z.ZodType>(value: T) {
  const name = z.string().regex(NAME_PATTERN, {
    error: 'a name is made of letters, digits, "-", "_", "." and ":", at most 128 of them',
  });
  return z.record(name, value);
}

export function mode() {
  return z.enum(['http', 'tcp']);
}

/** A section or door that can be shut. */
export function orOff<T extends z.ZodType>(section: T) {
  return z.union([z.literal('off'), section]);
}
