import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** CPU lists of taskset(1) that keep the proxy apart from who loads it; undefined where that cannot be. */
export interface Cores {
  readonly proxy: string | undefined;
  /** Two of them, for a proxy with two workers; undefined where that would leave the load less. */
  readonly twoForProxy: string | undefined;
  readonly load: string | undefined;
}

/** What figures depend on besides the programs. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** Load average of the minute before the run: what else the machine had to do. */
  readonly loadBefore: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** The last core is the proxy's; all others carry load and origin, but for one where there are four. */
export function cores(): Cores {
  const count = availableParallelism();
  if (count < 2 || !hasProgram('taskset')) {
    return { proxy: undefined, twoForProxy: undefined, load: undefined };
  }
  const last = count - 1;
  const twoForProxy = count < 4 ? undefined : `${last - 1}-${last}`;
  const lastOfLoad = twoForProxy === undefined ? last - 1 : last - 2;
  return { proxy: String(last), twoForProxy, load: lastOfLoad === 0 ? '0' : `0-${lastOfLoad}` };
}

export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin" command -v ${name}`]).status === 0;
}

/** First match of `pattern` in what a program says of its version, or the word unknown. */
export function versionOf(program: string, args: readonly string[], pattern: RegExp): string {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}

/** `0.1.0 (c11908b)`, and whether the checkout has changes that are in no commit. */
export function vaneVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string };
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--', 'src') === '' ? '' : ' with changes';
    return `${version} (${git('rev-parse', '--short', 'HEAD')}${changed})`;
  } catch {
    // Not a git checkout, or no git: the version alone must do.
    return version;
  }
}
