import { messageOf } from '../core/errors.ts';

/** A text with its variables filled in. */
export interface Expansion {
  readonly text: string;
  /** For each character of `text`, where in the source it came from. */
  readonly origins: readonly number[];
}

/** Where the values of variables come from. */
export interface Variables {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, without its last line feed. Throws when it cannot be read. */
  readonly secret: (path: string) => string;
}

/**
 * Fills in `${NAME}`, `${NAME:-default}` and `${file:PATH}`; the default also stands in for an empty variable, as in
 * a shell. `$${` is a literal `${`. What is filled in is not expanded again. Calls `report` for each that cannot be
 * filled in.
 */
export function expandVariables(
  source: string,
  variables: Variables,
  report: (offset: number, message: string) => void,
): Expansion {
  let text = '';
  const origins: number[] = [];
  const append = (piece: string, origin: (i: number) => number) => {
    text += piece;
    for (let i = 0; i < piece.length; i++) origins.push(origin(i));
  };
  let end = 0;
  for (const match of source.matchAll(REFERENCE)) {
    const { index } = match;
    append(source.slice(end, index), (i) => end + i);
    end = index + match[0].length;
    if (match[0] === '$${') append('${', (i) => index + 1 + i);
    else
      append(
        fillIn(match[0], variables, (message) => report(index, message)),
        () => index,
      );
  }
  append(source.slice(end), (i) => end + i);
  return { text, origins };
}

/** `$${`, or `${` up to its closing brace or, lacking one, to the end. */
const REFERENCE = /\$\$\{|\$\{[^}]*\}?/g;

function fillIn(reference: string, { env, secret }: Variables, report: (message: string) => void): string {
  const path = /^\$\{file:([^}]+)\}$/.exec(reference)?.[1];
  if (path !== undefined) {
    try {
      return secret(path);
    } catch (error) {
      report(`${path} cannot be read: ${messageOf(error)}`);
      return '';
    }
  }
  const match = /^\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}$/.exec(reference);
  if (!match) {
    report(
      `expected \${NAME}, \${NAME:-default} or \${file:PATH}, found ${reference} (a literal \${ is written $\${)`,
    );
    return '';
  }
  const [, name = '', fallback] = match;
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return value || fallback;
  if (value === undefined)
    report(`the environment variable ${name} is not set (a default is written \${${name}:-…})`);
  return value ?? '';
}
