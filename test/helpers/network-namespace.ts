import { execFileSync, spawnSync } from 'node:child_process';

/** Root's programs are in sbin, which is not on every user's PATH. */
const IP = {
  env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  encoding: 'utf8',
} as const;

/**
 * A network of its own, for the programs started in it, with one cable to this machine's. It can be pulled, as when a
 * host loses its power, or let through one way only. Needs root, and Linux.
 */
export class NetworkNamespace {
  readonly name = `vane-${process.pid}`;
  /** The address of what runs in it. */
  readonly inner: string;
  /** This machine's, as seen from in there. */
  readonly outer: string;
  readonly #near = `va${process.pid}`;
  readonly #far = `vb${process.pid}`;

  private constructor() {
    // A network for each process that runs tests, among those that are private (RFC 1918).
    const network = `10.${200 + ((process.pid >> 6) % 50)}.${(process.pid & 63) * 4}`;
    [this.outer, this.inner] = [`${network}.1`, `${network}.2`];
  }

  /** One at a time in a process. */
  static open(): NetworkNamespace {
    const space = new NetworkNamespace();
    const { name, inner, outer } = space;
    ip('netns', 'add', name);
    try {
      ip('link', 'add', space.#near, 'type', 'veth', 'peer', 'name', space.#far, 'netns', name);
      ip('addr', 'add', `${outer}/30`, 'dev', space.#near);
      ip('link', 'set', space.#near, 'up');
      ip('-n', name, 'addr', 'add', `${inner}/30`, 'dev', space.#far);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', space.#far, 'up');
    } catch (error) {
      space[Symbol.dispose]();
      throw error;
    }
    return space;
  }

  /** Whether this process may make one. */
  static canBeMade(): boolean {
    const name = `vane-${process.pid}-try`;
    if (spawnSync('ip', ['netns', 'add', name], IP).status !== 0) return false;
    ip('netns', 'del', name);
    return true;
  }

  /** What starts a program in it: the words to put before the command. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** Nothing gets through either way, and nobody is told. */
  pull(): void {
    ip('-n', this.name, 'link', 'set', this.#far, 'down');
  }

  plug(): void {
    ip('-n', this.name, 'link', 'set', this.#far, 'up');
  }

  /** What is sent to it arrives; what it says is lost. */
  mute(): void {
    ip('-n', this.name, 'route', 'add', 'blackhole', `${this.outer}/32`);
  }

  unmute(): void {
    ip('-n', this.name, 'route', 'del', 'blackhole', `${this.outer}/32`);
  }

  /** What still runs in it goes on without a network. */
  [Symbol.dispose](): void {
    spawnSync('ip', ['link', 'del', this.#near], IP);
    spawnSync('ip', ['netns', 'del', this.name], IP);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, IP);
}
