import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Program, startProgram } from './program.ts';

const run = promisify(execFile);

/** Servers live in sbin, which is not on every user's PATH. */
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);

const IMAGE = 'vane-test:1';
const PROGRAMS = ['sh', 'sleep'];

/** A Docker Engine of a test, with everything of it in one folder: no network, no iptables, no images but its own. */
export class DockerEngine {
  readonly host: string;
  readonly #folder: string;
  readonly #daemon: Program;
  readonly #containers: string[] = [];

  private constructor(folder: string, daemon: Program) {
    this.host = `unix://${folder}/docker.sock`;
    this.#folder = folder;
    this.#daemon = daemon;
  }

  /** The words say why none can run here: not root, not installed, or a machine that lets nobody make containers. */
  static async start(folder: string): Promise<DockerEngine | string> {
    if (process.getuid?.() !== 0) return 'a Docker Engine needs root';
    writeFileSync(join(folder, 'daemon.json'), '{}');
    const daemon = startProgram('dockerd', [
      ...[`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/docker.pid`],
      ...[
        `--host=unix://${folder}/docker.sock`,
        '--storage-driver=vfs',
        `--config-file=${folder}/daemon.json`,
      ],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
    ]);
    const engine = new DockerEngine(folder, daemon);
    try {
      const early = daemon.ended.then(() => {
        throw new Error(daemon.output());
      });
      await Promise.race([daemon.says(/API listen on/), early]);
      await engine.#import();
      await engine.run('first');
      return engine;
    } catch (error) {
      await engine.stop();
      return `no Docker Engine can run here: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** Starts a container of that name, in which nothing happens. */
  async run(name: string): Promise<void> {
    await this.docker('run', '--detach', '--network=none', `--name=${name}`, IMAGE, '/bin/sleep', '3600');
    this.#containers.push(name);
  }

  /** The client's standard output. */
  async docker(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('docker', [`--host=${this.host}`, ...args]);
    return stdout;
  }

  async stop(): Promise<void> {
    if (this.#containers.length > 0) await this.docker('rm', '--force', ...this.#containers);
    this.#daemon.signal('SIGTERM');
    await this.#daemon.ended;
  }

  /** An image of a shell and what it needs of this machine's libraries: nothing is fetched from anywhere. */
  async #import(): Promise<void> {
    const root = join(this.#folder, 'root');
    mkdirSync(join(root, 'bin'), { recursive: true });
    for (const name of PROGRAMS) {
      const program = realpathSync(join('/bin', name));
      copyFileSync(program, join(root, 'bin', name));
      const { stdout } = await run('ldd', [program]);
      for (const library of stdout.match(/\/\S+\.so\S*/g) ?? []) {
        mkdirSync(join(root, dirname(library)), { recursive: true });
        copyFileSync(library, join(root, library));
      }
    }
    const archive = join(this.#folder, 'root.tar');
    await run('tar', ['-C', root, '-cf', archive, '.']);
    await this.docker('import', archive, IMAGE);
  }
}
