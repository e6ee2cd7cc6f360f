import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { execForm, type Instruction, stagesOf } from './helpers/dockerfile.ts';
import { startProgram } from './helpers/program.ts';
import { fits, ROOT, readText } from './helpers/source-tree.ts';

// There is not always an engine to build the image with, so what can be judged without one is judged here.

const stages = stagesOf(readText('Dockerfile'));
const final = stages.at(-1)?.instructions ?? [];
const only = (name: string): string => {
  const found = final.filter((instruction) => instruction.name === name);
  expect(found, name).toHaveLength(1);
  return found[0]?.text ?? '';
};

describe('the build', () => {
  test('uses the Node that package.json pins, in every stage', () => {
    const pinned = /"node": "(\d+)\./.exec(readText('package.json'))?.[1];
    expect(stages.map(({ from }) => from)).toEqual(stages.map(() => `node:${pinned}-slim`));
  });

  test('copies only what exists and what .dockerignore lets through', () => {
    const allowed = readText('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const sources = stages.flatMap(({ instructions }) => instructions).flatMap(sourcesOf);
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(
      sources.filter((path) => !allowed.some((one) => fits(path, one) || fits(path, `${one}/**`))),
    ).toEqual([]);
  });

  test('copies from a stage only what is named before', () => {
    const names = stages.map(({ as }) => as);
    const from = final.flatMap(({ text }) => /--from=(\S+)/.exec(text)?.[1] ?? []);
    expect(from.filter((name) => !names.slice(0, -1).includes(name))).toEqual([]);
  });

  test('leaves no package manager at work in the final stage', () => {
    expect(final.filter(({ name, text }) => name === 'RUN' && /\b(?:npm|apt-get)\b/.test(text))).toEqual([]);
  });
});

describe('the image', () => {
  test('runs as a user without rights, given by number so that Kubernetes can tell', () => {
    expect(only('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('is the process itself, stopped gracefully', async () => {
    expect(execForm(only('ENTRYPOINT'))).toEqual(['node', '/app/src/bin/vane.mjs']);
    expect(only('WORKDIR')).toBe('/app');
    expect(only('STOPSIGNAL')).toBe('SIGTERM');
  });

  test('finds its configuration, and opens the doors that it names', async () => {
    const command = execForm(only('CMD')) ?? [];
    const file = '/etc/vane/vane.yaml';
    expect(command).toEqual(['run', '-f', file]);
    const [source = ''] = final.filter(({ text }) => text.endsWith(` ${file}`)).flatMap(sourcesOf);
    const config = await loadConfig(source, { env: {}, hostname: 'lb-1', cwd: ROOT });
    expect(config.global.dataDir).toBe(only('VOLUME'));
    const binds = [
      ...config.frontends.flatMap(({ bind }) => bind),
      ...[config.global.stats?.bind, config.registry?.http, config.registry?.dns].flatMap((one) => one ?? []),
    ];
    const exposed = only('EXPOSE')
      .split(/\s+/)
      .map((port) => Number.parseInt(port, 10));
    expect(new Set(binds.map(({ port }) => port))).toEqual(new Set(exposed));
    // Loopback in a container is reached by nobody.
    expect(binds.filter(({ host }) => host.startsWith('127.'))).toEqual([]);
  });

  test.each([
    [200, 0],
    [503, 1],
  ])('is healthy as /healthz says: status %i is exit code %i', async (status, code) => {
    const [command = '', ...args] = execForm(only('HEALTHCHECK')) ?? [];
    await using server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? status : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await using check = startProgram(command, args, { VANE_HEALTHZ: `http://127.0.0.1:${port}/healthz` });
    expect(await check.ended, check.output()).toBe(code);
  });
});

/** What a COPY takes from the checkout. */
function sourcesOf({ name, text }: Instruction): readonly string[] {
  return name === 'COPY' && !text.startsWith('--from=') ? text.split(/\s+/).slice(0, -1) : [];
}
