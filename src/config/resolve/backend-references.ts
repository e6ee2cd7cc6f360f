import { didYouMean } from '../nearest.ts';
import type { Path } from '../problem.ts';
import type { FrontendConfig } from '../runtime/frontends.ts';
import type { UserConfig } from '../schema/user-config.ts';
import { isBroken, type ResolveContext } from './context.ts';

/** Checks the backends that one frontend names: that they exist, and speak as it does. */
export class BackendReferences {
  readonly #user: UserConfig;
  readonly #frontend: Path;
  readonly #mode: FrontendConfig['mode'];
  readonly #context: ResolveContext;

  constructor(user: UserConfig, frontend: Path, mode: FrontendConfig['mode'], context: ResolveContext) {
    this.#user = user;
    this.#frontend = frontend;
    this.#mode = mode;
    this.#context = context;
  }

  /** `path` and `offset`: where the name stands. */
  check(name: string, path: Path, offset: number): void {
    const { backends = {}, defaults } = this.#user;
    const names = this.#context.keys(['backends']);
    if (!names.has(name)) {
      const message = `no backend is called ${JSON.stringify(name)}`;
      this.#context.report({ path, at: { offset }, message, suggestion: didYouMean(name, names) });
      return;
    }
    const backend = Object.hasOwn(backends, name) ? backends[name] : undefined;
    if (!backend || !this.#areModesKnown(name)) return;
    const mode = backend.mode ?? defaults?.mode ?? 'http';
    if (mode === this.#mode) return;
    const message = `backend ${name} has mode ${mode}, this frontend has mode ${this.#mode}`;
    this.#context.report({ path, at: { offset }, message });
  }

  /** False where a mode was written that is none: that is told already. */
  #areModesKnown(name: string): boolean {
    const { frontends = {}, backends = {}, defaults } = this.#user;
    const modes: readonly [Path, string | undefined][] = [
      [[...this.#frontend, 'mode'], frontends[String(this.#frontend.at(-1))]?.mode],
      [['backends', name, 'mode'], backends[name]?.mode],
      [['defaults', 'mode'], defaults?.mode],
    ];
    return modes.every(([path, mode]) => !isBroken(this.#context, path, mode));
  }
}
