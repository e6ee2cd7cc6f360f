import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'vitest';
import { NetworkNamespace } from './network-namespace.ts';

/** `describe` and `test` for what needs a program that may be missing on this machine. */
export interface Needing {
  describe(title: string, body: () => void): void;
  test(title: string, body: () => void | Promise<void>, timeoutMs?: number): void;
}

/**
 * Tests that run `program`. Where it is missing they are skipped, and their titles say which Debian package
 * brings it; in CI, which installs what tests need, they fail instead.
 */
export function needs(program: string, debianPackage: string): Needing {
  return needing(isInstalled(program), missing(program, debianPackage));
}

/** Debian's own Python, which has the modules of Debian's packages whatever other Python is on the PATH. */
export const PYTHON = '/usr/bin/python3';

/** The same for tests that run {@link PYTHON} with one of its modules. */
export function needsPython(module: string, debianPackage: string): Needing {
  const found = spawnSync(PYTHON, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
  return needing(found, missing(`${module} for ${PYTHON}`, debianPackage));
}

/** The same for tests that make networks of their own. */
export function needsNamespaces(): Needing {
  const mend = 'no network namespace can be made: apt-get install iproute2, and run this as root';
  return needing(NetworkNamespace.canBeMade(), mend);
}

function missing(what: string, debianPackage: string): string {
  return `${what} is not installed: apt-get install ${debianPackage}`;
}

function needing(isThere: boolean, mend: string): Needing {
  if (isThere) return { describe, test };
  if (process.env.CI === 'true') {
    const fail = () => {
      throw new Error(mend);
    };
    return { describe: (title) => test(title, fail), test: (title) => test(title, fail) };
  }
  return {
    describe: (title) => test.skip(`${title} (${mend})`),
    test: (title) => test.skip(`${title} (${mend})`),
  };
}

/** Servers live in sbin, which is not on every user's PATH. */
function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
