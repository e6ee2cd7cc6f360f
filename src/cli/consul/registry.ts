import { constants, createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LARGEST_ARCHIVE, readSnapshot } from '../../api/snapshot/archive.ts';
import { messageOf } from '../../core/errors.ts';
import { RegistryClient } from './client.ts';
import type { CommandContext, ConsulCommand } from './command.ts';
import { parseFlags, REGISTRY_FLAGS, requireWords, wrong } from './flags.ts';

/** As Consul's `snapshot`: https://developer.hashicorp.com/consul/commands/snapshot */
export const REGISTRY_COMMANDS: Readonly<Record<string, ConsulCommand>> = { save, restore };

const PATH = '/v1/snapshot';

/** What is at the path is a whole snapshot, the one before or this one, whatever happens meanwhile. */
async function save(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, REGISTRY_FLAGS);
  requireWords(flags, 1, 1, 'vane registry save [flags] FILE');
  const [path = ''] = flags.rest;
  const draft = `${path}.${process.pid}.new`;
  try {
    const index = await RegistryClient.of(flags, context.env).download(PATH, (body) =>
      pipeline(body, bounded, createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true })),
    );
    await readSnapshot(await readFile(draft));
    await rename(draft, path);
    await syncFolder(dirname(path));
    context.print(`Saved and verified snapshot to index ${index}`);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function restore(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, REGISTRY_FLAGS);
  requireWords(flags, 1, 1, 'vane registry restore [flags] FILE');
  const [path = ''] = flags.rest;
  const size = await sizeOf(path);
  await RegistryClient.of(flags, context.env).upload(PATH, createReadStream(path), size);
  context.print('Restored snapshot');
}

async function sizeOf(path: string): Promise<number> {
  let size: number;
  try {
    const found = await stat(path);
    size = found.size;
  } catch (error) {
    throw wrong(`${path} cannot be read: ${messageOf(error)}`);
  }
  if (size > LARGEST_ARCHIVE) throw wrong(`${path} is larger than any snapshot: ${LARGEST_ARCHIVE} bytes`);
  return size;
}

async function* bounded(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > LARGEST_ARCHIVE) throw wrong(`the snapshot is larger than ${LARGEST_ARCHIVE} bytes`);
    yield chunk;
  }
}

/** Makes a renaming in it durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
