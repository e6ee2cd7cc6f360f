import { isDeepStrictEqual } from 'node:util';
import { type Cancel, type Clock, systemClock } from '../core/clock.ts';
import type { Part } from '../core/lifecycle.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { RegistryCommands } from '../registry/commands.ts';
import type { Check, CheckDefinition, CheckStatus } from '../registry/model.ts';
import type { CatalogReader } from '../registry/reader.ts';
import { AliasCheck } from './alias.ts';
import { usualDockerHost } from './docker-engine.ts';
import { DEFAULT_OUTPUT_MAX_SIZE } from './output.ts';
import { ProbedCheck, type ProbedOptions } from './probed-check.ts';
import { Reaper } from './reaper.ts';
import { CheckReporter, type ReporterOptions } from './report.ts';
import { Slots } from './slots.ts';
import { TtlCheck } from './ttl.ts';
import { settledBy } from './within.ts';

/** Milliseconds throughout; what is left out is Consul's. */
export interface LocalChecksOptions {
  readonly registry: Pick<RegistryCommands, 'reportCheck' | 'deregisterService' | 'freshOutput'> & {
    readonly catalog: CatalogReader;
  };
  /**
   * `off`: no program is run, whoever registered it and whenever. `files`: only programs of checks from definition
   * files are.
   */
  readonly scriptChecks: 'off' | 'files' | 'api';
  /** Where the Docker Engine is. Default: `DOCKER_HOST` of the environment, or its usual socket. */
  readonly dockerHost?: string | undefined;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly log?: Log;
  /** Bounds how many checks run at once; to be shared with others that check. Default: 200 of its own. */
  readonly slots?: Slots;
  /** Shorter check intervals are raised to this. Default: 1s. */
  readonly minInterval?: number;
  /** Shorter times until a critical service is removed are raised to this. Default: 1m. */
  readonly reapFloor?: number;
  /** How often critical services are looked for. Default: 30s. */
  readonly reapTick?: number;
}

/** One check of this node that this process takes care of. */
interface OwnedCheck {
  readonly definition: CheckDefinition;
  readonly serviceId: string;
  /** Why it is not run. */
  readonly forbidden: string | undefined;
  readonly reporter: CheckReporter;
  readonly task: ProbedCheck | TtlCheck | AliasCheck | undefined;
}

const CHECKS_AT_ONCE = 200;

/**
 * Runs the checks of this process's own node, as the catalog has them: a check that is registered starts, one
 * that is changed starts anew (keeping the status it has), one that is gone stops. Whatever is found is
 * reported to the registry.
 */
export class LocalChecks implements Part {
  readonly name = 'local checks';
  readonly #options: LocalChecksOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What all checks have in common is there once. */
  readonly #reporting: ReporterOptions;
  readonly #probing: ProbedOptions;
  readonly #reaper: Reaper;
  readonly #owned = new Map<string, OwnedCheck>();
  /** Checks that have been let go of but still end a run or a report. */
  readonly #ending = new Set<Promise<unknown>>();
  #unwatch: Cancel | undefined;

  constructor(options: LocalChecksOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#reporting = { registry: options.registry, clock: this.#clock, log: this.#log };
    this.#probing = {
      clock: this.#clock,
      random: options.random ?? Math.random,
      slots: options.slots ?? new Slots(CHECKS_AT_ONCE),
      minInterval: options.minInterval ?? 1000,
      dockerHost: options.dockerHost ?? usualDockerHost(),
    };
    this.#reaper = new Reaper({
      registry: options.registry,
      checks: () => this.#reapable(),
      clock: this.#clock,
      log: this.#log,
      floor: options.reapFloor ?? 60_000,
      tick: options.reapTick ?? 30_000,
    });
  }

  /** Checks that the catalog has already run within a second: what is stored of them may be long out of date. */
  async start(): Promise<void> {
    const { catalog } = this.#options.registry;
    this.#follow(true);
    this.#unwatch = catalog.watchChecks(catalog.self, (ids) => {
      if (!ids) return this.#follow(false);
      for (const id of ids) this.#followOne(id);
    });
    this.#reaper.start();
  }

  async stop(deadline: number): Promise<void> {
    this.#unwatch?.();
    this.#unwatch = undefined;
    for (const id of [...this.#owned.keys()]) this.#letGo(id);
    await settledBy(this.#clock, deadline, [this.#reaper.stop(), ...this.#ending]);
  }

  /**
   * A sign of life for a TTL check. Resolves once it is committed, to false when there is no TTL check of that
   * id; rejects with STORE_FAILED.
   */
  async ttlUpdate(id: string, status: CheckStatus, output: string): Promise<boolean> {
    const owned = this.#owned.get(id);
    if (!(owned?.task instanceof TtlCheck)) return false;
    await owned.reporter.reportNow(status, owned.task.heard(output));
    return true;
  }

  /**
   * Restarts the timers of these checks: to be told of a registration that repeats what is known already, as
   * it changes nothing in the catalog. Unknown ids are passed over.
   */
  restart(ids: Iterable<string>): void {
    const { catalog } = this.#options.registry;
    for (const id of ids) {
      const check = this.#owned.has(id) ? catalog.check(catalog.self, id) : undefined;
      if (!check?.definition) continue;
      this.#letGo(id);
      this.#take(check, check.definition, false);
    }
  }

  /** Makes what is run what the catalog says. */
  #follow(prompt: boolean): void {
    const { catalog } = this.#options.registry;
    const gone = new Set(this.#owned.keys());
    for (const check of catalog.nodeChecks(catalog.self).value) {
      if (!check.definition) continue;
      gone.delete(check.id);
      this.#keep(check, check.definition, prompt);
    }
    for (const id of gone) this.#letGo(id);
  }

  /** The same for what may have changed alone: there can be very many. */
  #followOne(id: string): void {
    const { catalog } = this.#options.registry;
    const check = catalog.check(catalog.self, id);
    // Written otherwise, it is told of under that id.
    if (check?.id === id && check.definition) this.#keep(check, check.definition, false);
    else this.#letGo(id);
  }

  #keep(check: Check, definition: CheckDefinition, prompt: boolean): void {
    const owned = this.#owned.get(check.id);
    const same = owned?.serviceId === check.serviceId && owned.forbidden === this.#forbidden(check);
    if (same && sameDefinition(owned, definition)) return;
    if (owned) this.#letGo(check.id);
    this.#take(check, definition, prompt);
  }

  #take(check: Check, definition: CheckDefinition, prompt: boolean): void {
    const reporter = new CheckReporter(check.id, this.#reporting);
    const forbidden = this.#forbidden(check);
    const task = forbidden === undefined ? this.#taskFor(check, definition, reporter, prompt) : undefined;
    this.#owned.set(check.id, { definition, serviceId: check.serviceId, forbidden, reporter, task });
    task?.start();
    // Later: a commit must not start another while it is still being told.
    if (forbidden !== undefined) queueMicrotask(() => reporter.report('critical', forbidden));
  }

  #taskFor(check: Check, definition: CheckDefinition, reporter: CheckReporter, prompt: boolean) {
    const { registry } = this.#options;
    const { clock } = this.#probing;
    const { kind } = definition;
    switch (kind.kind) {
      case 'ttl': {
        const outputMaxSize = definition.outputMaxSize || DEFAULT_OUTPUT_MAX_SIZE;
        return new TtlCheck({ ttl: definition.ttl, outputMaxSize, clock, reporter });
      }
      case 'alias': {
        const outputOf = (target: Check) => registry.freshOutput(target);
        return new AliasCheck(kind, { id: check.id, catalog: registry.catalog, outputOf, reporter });
      }
    }
    return new ProbedCheck(kind, definition, prompt, reporter, this.#probing);
  }

  #forbidden({ definition, file }: Check): string | undefined {
    const { scriptChecks } = this.#options;
    const kind = definition?.kind.kind;
    if ((kind !== 'script' && kind !== 'docker') || scriptChecks === 'api') return undefined;
    if (scriptChecks === 'off') return 'Script checks are switched off on this node';
    return file === undefined ? 'Only definition files may have script checks on this node' : undefined;
  }

  #letGo(id: string): void {
    const owned = this.#owned.get(id);
    if (!owned) return;
    this.#owned.delete(id);
    const ending: Promise<unknown> = Promise.all([owned.task?.stop(), owned.reporter.close()]).finally(() =>
      this.#ending.delete(ending),
    );
    this.#ending.add(ending);
  }

  *#reapable() {
    for (const [checkId, { serviceId, definition, reporter }] of this.#owned) {
      const { deregisterCriticalServiceAfter } = definition;
      const { criticalSince } = reporter;
      yield { checkId, serviceId, deregisterCriticalServiceAfter, criticalSince };
    }
  }
}

/** Most rows share the definition object they had before; only others need a closer look. */
function sameDefinition(owned: OwnedCheck, definition: CheckDefinition): boolean {
  return owned.definition === definition || isDeepStrictEqual(owned.definition, definition);
}
