// Makes a fresh clone ready to run: its locked dependencies, and with them the Node that Vane is pinned to.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode } from '../src/bin/node.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs what package-lock.json names unless it is there already, and answers with the path of the Node to
 * run with. What keeps it from doing so is printed, and ends the process with 1.
 */
export function ensureInstalled() {
  try {
    if (!isInstalled()) install();
    return findNode();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

/** Whether npm's own record of what it installed agrees with package-lock.json. */
function isInstalled() {
  const wanted = packagesOf(join(ROOT, 'package-lock.json'));
  const present = packagesOf(join(ROOT, 'node_modules', '.package-lock.json'));
  if (wanted === undefined) throw new Error('package-lock.json is missing: this is not a checkout of Vane.');
  if (present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    // The checkout itself is no package, and packages for other systems are not installed.
    if (path === '' || (optional && present[path] === undefined)) return true;
    return present[path]?.version === version;
  });
}

/** The packages of a lock file by path, or undefined if there is no such file. */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`${file} cannot be read: ${error.message}`);
  }
}

function install() {
  console.log('Installing dependencies (once)…');
  const { status, error, stdout, stderr } = spawnSync('npm', ['ci', '--include=dev'], {
    cwd: ROOT,
    encoding: 'utf8',
    // npm must not run on a Node out of the folder that it is about to replace.
    env: { ...process.env, PATH: pathWithoutModules() },
  });
  if (status === 0) return;
  throw new Error(
    `${stdout ?? ''}${stderr ?? ''}\nnpm ci failed${error ? `: ${error.message}` : ''}.`.trim(),
  );
}

function pathWithoutModules() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((folder) => !folder.split(sep).includes('node_modules')).join(delimiter);
}
