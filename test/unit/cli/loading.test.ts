import { expect, test } from 'vitest';
import { sourceFiles } from '../../helpers/source-tree.ts';

const files = new Map(sourceFiles().map((file) => [file.path, file]));

/** Everything that is loaded with a file, before anything in it has run. */
function loadedWith(path: string, seen = new Set<string>()): ReadonlySet<string> {
  const file = files.get(path);
  seen.add(path);
  for (const { target, typeOnly } of file?.imports ?? []) {
    const name = target.split('/').at(-1);
    const later = new RegExp(`\\bimport\\('[^']*/${name}'\\)`).test(file?.code ?? '');
    const loads = !typeOnly && !later && !seen.has(target);
    if (loads) loadedWith(target, seen);
  }
  return seen;
}

test.each(['cli.ts', 'consul/kv.ts', 'consul/watch.ts', 'consul/command.ts'])(
  'src/cli/%s loads little of Vane: a command is to begin at once',
  (name) => {
    const loaded = [...loadedWith(`src/cli/${name}`)];
    expect(loaded).not.toContain('src/app.ts');
    expect(loaded.filter((path) => !path.startsWith('src/')).sort()).toEqual(
      loaded.filter((path) => path.startsWith('node:') || path === 'commander').sort(),
    );
    expect(loaded.length).toBeGreaterThan(2);
  },
);
