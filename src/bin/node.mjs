import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The oldest Node that runs TypeScript sources as they are and has all that Vane uses. */
export const OLDEST_NODE = 24;

/** Whether a Node of this version (`24.21.0`, with or without a `v`) can run Vane. */
export function isRecentEnough(version) {
  return Number.parseInt(version.replace(/^v/, ''), 10) >= OLDEST_NODE;
}

/**
 * The program that can run Vane: the Node that package.json pins, else the one that is running now if it is
 * recent enough. Throws an Error whose message says how to mend it if there is neither.
 */
export function findNode() {
  const pinned = pinnedNode();
  if (pinned !== undefined && works(pinned)) return pinned;
  if (isRecentEnough(process.versions.node)) return process.execPath;
  const why = pinned === undefined ? 'its dependencies are not installed' : `${pinned} does not run`;
  throw new Error(
    `Vane needs Node ${OLDEST_NODE}. This is Node ${process.versions.node}, and the one that Vane brings is not there: ${why}.\nTo mend it, run: npm ci --ignore-scripts=false`,
  );
}

/** Path of the program that the npm package `node` brings, whether or not it is there; undefined without the package. */
function pinnedNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function works(program) {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return status === 0 && isRecentEnough(stdout);
}
