import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { sleep, systemClock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import { parseJson, RegistryClient, type Reply, type Request } from './client.ts';
import { type CommandContext, field, keyPath } from './command.ts';
import { type Flags, parseFlags, REGISTRY_FLAGS, wrong } from './flags.ts';

/** How long the registry lets a query wait, and longest with its random part, ms. */
const WAIT_S = 300;
const ANSWER_WITHIN = (WAIT_S * 1.1 + 30) * 1000;
/** Between attempts of a watch that fails, ms: Consul waits longer with every one, up to this. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 60_000;

/** What is asked, and what becomes of the answer. */
interface Watch {
  readonly path: string;
  readonly query: NonNullable<Request['query']>;
  /** `last` is what was shown last. */
  readonly shown: (reply: Reply, last: unknown) => unknown;
}

/**
 * Follows something in the registry, as https://developer.hashicorp.com/consul/commands/watch: without a command it
 * prints what there is and ends; with one, the command is run with it on standard input, now and whenever it changes,
 * one after the other, until a signal comes.
 */
export async function watch(args: readonly string[], context: CommandContext): Promise<void> {
  const texts = { key: 'text', name: 'text', prefix: 'text', service: 'text', state: 'text' } as const;
  const others = { type: 'text', tag: 'text', passingonly: 'switch', shell: 'switch' } as const;
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, ...texts, ...others });
  const watched = watchOf(flags);
  const client = RegistryClient.of(flags, context.env);
  const stop = new AbortController();
  const end = () => stop.abort(new VaneError('STOPPING', 'stopped'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    await follow(watched, client, commandOf(flags), context, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
  }
}

const NOTHING_YET = Symbol('nothing yet');

async function follow(
  { path, query, shown }: Watch,
  client: RegistryClient,
  command: Command | undefined,
  context: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  let index = 0;
  let last: unknown = NOTHING_YET;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const waiting = index === 0 ? {} : { index, wait: `${WAIT_S}s` };
      const request = { method: 'GET' as const, path, query: { ...query, ...waiting } };
      const reply = await client.send({ ...request, within: ANSWER_WITHIN, signal });
      if (reply.status !== 404) RegistryClient.requireOk(reply);
      // One that went back is another registry's: from the start.
      index = reply.index < index ? 0 : reply.index;
      failures = 0;
      const next = shown(reply, last);
      if (next === undefined || isDeepStrictEqual(next, last)) continue;
      last = next;
      const text = JSON.stringify(next, undefined, 4);
      if (!command) return context.print(text);
      await run(command, `${text}\n`, reply.index, context, signal);
    } catch (error) {
      if (!command || signal.aborted) throw error;
      context.complain(`Watch (${path}) has failed: ${messageOf(error)}`);
      index = 0;
      await sleep(systemClock, Math.min(FIRST_RETRY * 2 ** failures++, LONGEST_RETRY), signal);
    }
  }
}

function watchOf(flags: Flags): Watch {
  const type = flags.text('type') ?? '';
  switch (type) {
    case 'key':
      return { path: keyPath(needed(flags, 'key')), query: {}, shown: (reply) => first(reply) };
    case 'keyprefix':
      return {
        path: keyPath(needed(flags, 'prefix')),
        query: { recurse: '' },
        shown: (reply) => (reply.status === 404 ? null : parseJson(reply.body)),
      };
    case 'services':
    case 'nodes':
      return { path: `/v1/catalog/${type}`, query: {}, shown: json };
    case 'service':
      return {
        path: `/v1/health/service/${encodeURIComponent(needed(flags, 'service'))}`,
        query: { tag: flags.text('tag'), passing: flags.on('passingonly') ? '1' : undefined },
        shown: json,
      };
    case 'checks':
      return { path: checksPath(flags), query: {}, shown: json };
    case 'event':
      return { path: '/v1/event/list', query: { name: flags.text('name') }, shown: newEvents };
    default:
      throw wrong(
        `-type is key, keyprefix, services, nodes, service, checks or event, not ${JSON.stringify(type)}`,
      );
  }
}

function checksPath(flags: Flags): string {
  const service = flags.text('service');
  const state = flags.text('state');
  if (service !== undefined && state !== undefined) throw wrong('-service and -state exclude each other');
  if (service !== undefined) return `/v1/health/checks/${encodeURIComponent(service)}`;
  return `/v1/health/state/${encodeURIComponent(state ?? 'any')}`;
}

function needed(flags: Flags, name: string): string {
  const value = flags.text(name);
  if (value) return value;
  throw wrong(`-type=${flags.text('type')} needs -${name}`);
}

function json(reply: Reply): unknown {
  RegistryClient.requireOk(reply);
  return parseJson(reply.body);
}

/** Null: there is no such key. */
function first(reply: Reply): unknown {
  const list = reply.status === 404 ? [] : parseJson(reply.body);
  return (Array.isArray(list) ? list[0] : undefined) ?? null;
}

/** Those after the last that was shown; undefined when there are none. */
function newEvents(reply: Reply, last: unknown): unknown {
  const events = json(reply);
  if (!Array.isArray(events) || !Array.isArray(last)) return events;
  const seen = field(last.at(-1), 'ID');
  const fresh = events.slice(events.findIndex((event) => field(event, 'ID') === seen) + 1);
  return fresh.length > 0 ? fresh : undefined;
}

interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** Through a shell unless `-shell=false`, as in Consul. */
function commandOf(flags: Flags): Command | undefined {
  const shell = flags.text('shell') === undefined || flags.on('shell');
  const [file, ...args] = flags.rest;
  if (file === undefined) return undefined;
  return shell ? { file: '/bin/sh', args: ['-c', flags.rest.join(' ')] } : { file, args };
}

/** Its output is this program's; how it ends is told, and nothing more comes of it. */
async function run(
  { file, args }: Command,
  input: string,
  index: number,
  { env, complain }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(file, args, {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...env, CONSUL_INDEX: String(index) },
    signal,
    killSignal: 'SIGTERM',
  });
  // It need not read what it is given.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [code, ended] = await once(child, 'exit');
    if (code !== 0) complain(`Command ended with ${code ?? ended}`);
  } catch (error) {
    if (signal.aborted) throw error;
    complain(`Command cannot be run: ${messageOf(error)}`);
  }
}
