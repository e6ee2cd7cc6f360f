#!/usr/bin/env node
// The command `vane`: plain JavaScript, so that an older Node can start it and hand over to the right one.
import { spawn } from 'node:child_process';
import { enableCompileCache } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { findNode, isRecentEnough } from './node.mjs';

/** What the program that was started instead of this one must hear, too. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGUSR1', 'SIGUSR2'];

/** What would end the program, or open Node's debugger, before it listens to them or where it does not. */
const HARMLESS = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'];

/** Beside the packages: whoever may write there can change the program anyhow. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/vane', import.meta.url));

if (isRecentEnough(process.versions.node)) {
  // What was compiled before is not compiled again, and what makes JavaScript of TypeScript, 20 MB of it, is not loaded.
  // Where nothing can be written all is compiled at every start.
  enableCompileCache(COMPILED);
  // Loading leaves much garbage behind: a small young generation stays small. Data planes let it grow.
  setFlagsFromString('--semi-space-growth-factor=1');
  for (const signal of HARMLESS) process.on(signal, () => undefined);
  stopWithParent(() => process.kill(process.pid, 'SIGTERM'));
  await import('../main.ts');
} else {
  try {
    handOver(findNode(), [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Continues as `node` with `args`: in this process where the running Node can (22.15), else in a child of it. */
function handOver(node, args) {
  // The channel to a parent does not survive execve.
  if (process.execve !== undefined && !process.connected) process.execve(node, [node, ...args], process.env);

  // The channel tells the child when this process is gone, however it ended.
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  stopWithParent(() => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(`Cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Calls `stop` when the parent that holds the other end of this process's channel is gone. */
function stopWithParent(stop) {
  if (!process.connected) return;
  process.once('disconnect', stop);
  // Being told must not keep the process from ending by itself.
  process.channel.unref();
}
