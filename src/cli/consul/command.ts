import { readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { ConfigError } from '../../config/problem.ts';
import { asVaneError, messageOf, VaneError } from '../../core/errors.ts';
import type { Environment } from './address.ts';
import { wrong } from './flags.ts';

/** What a command that asks a registry works with. */
export interface CommandContext {
  readonly env: Environment;
  readonly stdin: AsyncIterable<Buffer>;
  readonly stdout: Writable;
  /** A line to standard output. */
  print(line: string): void;
  /** A line to standard error. */
  complain(line: string): void;
}

export type ConsulCommand = (args: readonly string[], context: CommandContext) => Promise<void>;

/** Consul's commands end with 1 whatever went wrong, the command line included. */
const FAILED = 1;

/** A failure that is the answer itself, told as it is. */
export class Answered extends VaneError {
  constructor(message: string) {
    super('REQUEST_INVALID', message);
  }
}

/** What this process was started with. */
export function processContext(): CommandContext {
  const { env, stdin, stdout, stderr } = process;
  return { env, stdin, stdout, ...printing(stdout, stderr) };
}

export function printing(stdout: Writable, stderr: Writable): Pick<CommandContext, 'print' | 'complain'> {
  return {
    print: (line) => void stdout.write(`${line}\n`),
    complain: (line) => void stderr.write(`${line}\n`),
  };
}

/** Runs one of several commands by its first word. Resolves to the exit code. */
export async function runConsul(
  name: string,
  commands: Readonly<Record<string, ConsulCommand>> | ConsulCommand,
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  try {
    if (typeof commands === 'function') await commands(args, context);
    else await chosen(name, commands, args[0])(args.slice(1), context);
    return 0;
  } catch (error) {
    context.complain(complaint(error));
    return FAILED;
  }
}

function complaint(error: unknown): string {
  if (error instanceof ConfigError || error instanceof Answered) return error.message;
  return `Error! ${asVaneError(error).message}`;
}

function chosen(
  name: string,
  commands: Readonly<Record<string, ConsulCommand>>,
  word: string | undefined,
): ConsulCommand {
  const command = word !== undefined && Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (command) return command;
  throw wrong(`usage: vane ${name} ${Object.keys(commands).join('|')} [flags] …`);
}

/** More than the API takes for a value, and than anybody exports. */
const LARGEST_INPUT = 256 * 1024 * 1024;

/** A word as Consul's commands take data: `@file`, `-` for standard input, or the data itself. */
export async function dataOf(word: string, { stdin }: CommandContext): Promise<Buffer> {
  if (word === '-') return all(stdin);
  if (!word.startsWith('@')) return Buffer.from(word);
  try {
    return await readFile(word.slice(1));
  } catch (error) {
    throw new VaneError('REQUEST_INVALID', `${word.slice(1)} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function all(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > LARGEST_INPUT) throw wrong(`standard input has more than ${LARGEST_INPUT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The path of a key: its slashes stay, all else is encoded. */
export function keyPath(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** Field of a JSON object that came from outside. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

export function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}
