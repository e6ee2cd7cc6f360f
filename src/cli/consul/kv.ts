import { isUnsigned } from '../../api/consul/decode.ts';
import { JsonSyntaxError, type JsonValue, readJson } from '../../api/consul/json-reader.ts';
import { RegistryClient } from './client.ts';
import { Answered, type CommandContext, type ConsulCommand, dataOf, keyPath } from './command.ts';
import { type Flags, parseFlags, REGISTRY_FLAGS, requireWords, wrong } from './flags.ts';

/** https://developer.hashicorp.com/consul/commands/kv */
export const KV_COMMANDS: Readonly<Record<string, ConsulCommand>> = {
  get,
  put,
  delete: remove,
  export: exportTree,
  import: importTree,
};

async function get(args: readonly string[], context: CommandContext): Promise<void> {
  const kinds = {
    base64: 'switch',
    detailed: 'switch',
    keys: 'switch',
    recurse: 'switch',
    separator: 'text',
  } as const;
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, ...kinds });
  const many = flags.on('keys') || flags.on('recurse');
  requireWords(flags, many ? 0 : 1, 1, 'vane kv get [flags] KEY');
  const key = keyOf(flags.rest[0] ?? '');
  const client = RegistryClient.of(flags, context.env);
  if (flags.on('keys')) {
    const separator = flags.text('separator') ?? '/';
    const reply = await client.send({ method: 'GET', path: keyPath(key), query: { keys: '', separator } });
    for (const each of listOf(reply)) context.print(each.kind === 'string' ? each.value : '');
    return;
  }
  const query = flags.on('recurse') ? { recurse: '' } : {};
  const found = listOf(await client.send({ method: 'GET', path: keyPath(key), query })).map(rowOf);
  if (flags.on('recurse')) {
    for (const [i, entry] of found.entries()) {
      if (flags.on('detailed')) context.print(`${i === 0 ? '' : '\n'}${detailed(entry, flags)}`);
      else context.print(`${entry.get('Key')}:${shown(entry, flags)}`);
    }
    return;
  }
  const [entry] = found;
  if (entry === undefined) throw new Answered(`Error! No key exists at: ${key}`);
  if (flags.on('detailed')) context.print(detailed(entry, flags));
  else if (flags.on('base64')) context.print(shown(entry, flags));
  else context.stdout.write(Buffer.concat([bytesOf(entry), Buffer.from('\n')]));
}

async function put(args: readonly string[], context: CommandContext): Promise<void> {
  const switches = { acquire: 'switch', base64: 'switch', cas: 'switch', release: 'switch' } as const;
  const texts = { flags: 'text', 'modify-index': 'text', session: 'text' } as const;
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, ...switches, ...texts });
  requireWords(flags, 1, 2, 'vane kv put [flags] KEY [DATA]');
  const key = keyOf(flags.rest[0] ?? '');
  const session = flags.text('session');
  const locks = flags.on('acquire') || flags.on('release');
  if (locks && !session) throw wrong('-acquire and -release need -session');
  if (flags.on('acquire') && flags.on('release')) throw wrong('-acquire and -release exclude each other');
  const data = await dataOf(flags.rest[1] ?? '', context);
  const done = await RegistryClient.of(flags, context.env).json({
    method: 'PUT',
    path: keyPath(key),
    query: {
      flags: unsignedOf(flags),
      cas: flags.on('cas') ? (flags.whole('modify-index') ?? 0) : undefined,
      acquire: flags.on('acquire') ? session : undefined,
      release: flags.on('release') ? session : undefined,
    },
    body: flags.on('base64') ? fromBase64(data.toString()) : data,
  });
  if (done === true) return context.print(`Success! ${said(flags)}: ${key}`);
  if (flags.on('cas')) throw new Answered(`Error! Did not write to ${key}: CAS failed`);
  throw new Answered(`Error! Did not ${flags.on('release') ? 'release' : 'acquire'} lock on ${key}`);
}

function said(flags: Flags): string {
  if (flags.on('acquire')) return 'Lock acquired on';
  return flags.on('release') ? 'Lock released on' : 'Data written to';
}

async function remove(args: readonly string[], context: CommandContext): Promise<void> {
  const kinds = { cas: 'switch', 'modify-index': 'text', recurse: 'switch' } as const;
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, ...kinds });
  requireWords(flags, 1, 1, 'vane kv delete [flags] KEY');
  const recurse = flags.on('recurse');
  const key = flags.rest[0] ?? '';
  if (!recurse) keyOf(key, 1);
  if (recurse && flags.on('cas')) throw wrong('-cas and -recurse exclude each other');
  const index = flags.whole('modify-index') ?? 0;
  if (flags.on('cas') && index === 0) throw wrong('-cas needs -modify-index');
  const path = keyPath(keyOf(key));
  const query = { recurse: recurse ? '' : undefined, cas: flags.on('cas') ? index : undefined };
  const done = await RegistryClient.of(flags, context.env).json({ method: 'DELETE', path, query });
  if (done !== true) throw new Answered(`Error! Did not delete key ${key}: CAS failed`);
  context.print(recurse ? `Success! Deleted keys with prefix: ${key}` : `Success! Deleted key: ${key}`);
}

/** In the form that `import` takes, Consul's too. */
async function exportTree(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, REGISTRY_FLAGS);
  requireWords(flags, 0, 1, 'vane kv export [PREFIX]');
  const path = keyPath(keyOf(flags.rest[0] ?? ''));
  const query = { recurse: '' };
  const reply = await RegistryClient.of(flags, context.env).send({ method: 'GET', path, query });
  const entries = listOf(reply).map((value) => {
    const row = rowOf(value);
    const text = (name: string) => JSON.stringify(row.get(name) ?? '');
    return `\t{\n\t\t"key": ${text('Key')},\n\t\t"flags": ${row.get('Flags') ?? 0},\n\t\t"value": ${text('Value')}\n\t}`;
  });
  context.print(entries.length === 0 ? '[]' : `[\n${entries.join(',\n')}\n]`);
}

async function importTree(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, prefix: 'text' });
  requireWords(flags, 1, 1, 'vane kv import [-prefix PREFIX] @FILE | - | DATA');
  const given = await dataOf(flags.rest[0] ?? '', context);
  const entries = exportedEntries(given);
  const client = RegistryClient.of(flags, context.env);
  for (const { key, flags: number, value } of entries) {
    const name = `${flags.text('prefix') ?? ''}${key}`;
    const done = await client.json({
      method: 'PUT',
      path: keyPath(keyOf(name)),
      query: { flags: number },
      body: value,
    });
    if (done !== true) throw new Answered(`Error! Did not write to ${name}`);
    context.print(`Imported: ${name}`);
  }
}

interface Exported {
  readonly key: string;
  /** Digits: more than a number holds. */
  readonly flags: string;
  readonly value: Buffer;
}

/** All of them are looked at before any is written. */
function exportedEntries(given: Buffer): readonly Exported[] {
  const entries = jsonOf(given, 'the data are no JSON: expected what vane kv export prints');
  if (entries.kind !== 'array') throw wrong('expected a list of keys, as vane kv export prints it');
  return entries.items.map((entry, i) => {
    const row = rowOf(entry);
    const [key = '', flags = '0', value = ''] = ['key', 'flags', 'value'].map((name) => row.get(name));
    if (key !== '' && isUnsigned(flags)) return { key, flags, value: fromBase64(value) };
    throw wrong(`entry ${i} is not {"key": text, "flags": number, "value": base64}`);
  });
}

function unsignedOf(flags: Flags): string | undefined {
  const given = flags.text('flags');
  if (given === undefined || isUnsigned(given)) return given;
  throw wrong(`-flags is a number of up to 64 bits, not ${given}`);
}

/** Consul's commands take a slash before a key away, as keys have none. */
function keyOf(word: string, least = 0): string {
  const key = word.replace(/^\//, '');
  if (key.length < least) throw wrong('Missing KEY argument');
  return key;
}

/** No key is an empty list. */
function listOf(reply: { readonly status: number; readonly body: Buffer }): readonly JsonValue[] {
  if (reply.status === 404) return [];
  RegistryClient.requireOk(reply);
  const list = jsonOf(reply.body, 'the answer is no JSON: is it a registry?');
  return list.kind === 'array' ? list.items : [];
}

/** Read so that large numbers keep all their digits. */
function jsonOf(body: Buffer, otherwise: string): JsonValue {
  try {
    return readJson(body.toString());
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw wrong(otherwise);
  }
}

/** The texts and numbers of an object, by name. */
type Row = ReadonlyMap<string, string>;

function rowOf(value: JsonValue): Row {
  const members = value.kind === 'object' ? value.members : [];
  return new Map(
    members.flatMap(([name, each]): [string, string][] => {
      if (each.kind === 'string') return [[name, each.value]];
      return each.kind === 'number' ? [[name, each.text]] : [];
    }),
  );
}

function bytesOf(entry: Row): Buffer {
  return Buffer.from(entry.get('Value') ?? '', 'base64');
}

function shown(entry: Row, flags: Flags): string {
  return flags.on('base64') ? (entry.get('Value') ?? '') : bytesOf(entry).toString();
}

function detailed(entry: Row, flags: Flags): string {
  const rows = [
    ...['CreateIndex', 'Flags', 'Key', 'LockIndex', 'ModifyIndex'].map((name) => [name, entry.get(name)]),
    ['Session', entry.get('Session') ?? '-'],
    ['Value', shown(entry, flags)],
  ];
  return rows.map(([name = '', value = '']) => `${name.padEnd(16)}${value}`).join('\n');
}

function fromBase64(text: string): Buffer {
  const trimmed = text.trim();
  const value = Buffer.from(trimmed, 'base64');
  if (value.toString('base64').replace(/=+$/, '') === trimmed.replace(/=+$/, '')) return value;
  throw wrong('the value is no base64');
}
