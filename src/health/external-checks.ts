import { isDeepStrictEqual } from 'node:util';
import type { Cancel, Clock } from '../core/clock.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import type { Cluster } from '../registry/cluster/cluster.ts';
import type { RegistryCommands } from '../registry/commands.ts';
import type { ExternalReports } from '../registry/external-reports.ts';
import type { Check, CheckDefinition } from '../registry/model.ts';
import type { CatalogReader } from '../registry/reader.ts';
import { DEFAULT_OUTPUT_MAX_SIZE } from './output.ts';
import { ProbedCheck } from './probed-check.ts';
import type { ProbedKind } from './probes.ts';
import { CheckReporter } from './report.ts';
import type { Slots } from './slots.ts';
import { settledBy } from './within.ts';

export interface ExternalChecksOptions {
  readonly registry: {
    readonly catalog: CatalogReader;
    readonly external: Pick<ExternalReports, 'report'>;
    /** Says which of those who share the registry is to run them; undefined: nobody shares it. */
    readonly cluster: Pick<Cluster, 'whileLeading'> | undefined;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly slots: Slots;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Shorter intervals are raised to this, ms. */
  readonly minInterval?: number;
}

/** consul-esm's defaults, ms. */
const INTERVAL_MS = 30_000;
const TIMEOUT_MS = 10_000;

interface RunCheck {
  readonly definition: CheckDefinition;
  readonly reporter: CheckReporter;
  readonly task: ProbedCheck;
}

/**
 * Runs the HTTP, TCP and UDP checks of nodes that are written into the catalog as external (`external-node` in their meta
 * is `true`), as consul-esm does: one process of all that share the registry does so.
 */
export class ExternalChecks implements Part {
  readonly name = 'external checks';
  readonly #options: ExternalChecksOptions;
  /** By node, then id of the check; only while this process is elected. */
  readonly #nodes = new Map<string, { readonly unwatch: Cancel; readonly checks: Map<string, RunCheck> }>();
  /** Checks that have been let go of but still end a run or a report. */
  readonly #ending = new Set<Promise<unknown>>();
  #unwatch: Cancel = () => {};
  #retire: Cancel = () => {};

  constructor(options: ExternalChecksOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { cluster } = this.#options.registry;
    if (cluster) this.#retire = cluster.whileLeading((leads) => this.#elected(leads));
    else this.#elected(true);
  }

  async stop(deadline: number): Promise<void> {
    this.#retire();
    this.#unwatch();
    this.#letAllGo();
    await settledBy(this.#options.clock, deadline, [...this.#ending]);
  }

  #elected(isElected: boolean): void {
    this.#unwatch();
    this.#unwatch = () => {};
    this.#letAllGo();
    if (!isElected) return;
    this.#unwatch = this.#options.registry.catalog.watch({ kind: 'nodes' }, () => this.#follow());
    this.#follow();
  }

  #follow(): void {
    const { catalog } = this.#options.registry;
    const gone = new Set(this.#nodes.keys());
    for (const { node, meta } of catalog.nodes().value) {
      if (meta?.['external-node'] !== 'true') continue;
      gone.delete(node);
      if (this.#nodes.has(node)) continue;
      const unwatch = catalog.watchChecks(node, () => this.#followNode(node));
      this.#nodes.set(node, { unwatch, checks: new Map() });
      this.#followNode(node);
    }
    for (const node of gone) this.#letNodeGo(node);
  }

  #followNode(node: string): void {
    const checks = this.#nodes.get(node)?.checks;
    if (!checks) return;
    const gone = new Set(checks.keys());
    for (const check of this.#options.registry.catalog.nodeChecks(node).value) {
      const definition = check.toldDefinition;
      if (!definition || !isProbed(definition.kind)) continue;
      gone.delete(check.id);
      const run = checks.get(check.id);
      if (run && isDeepStrictEqual(run.definition, definition)) continue;
      if (run) this.#end(run);
      checks.set(check.id, this.#begin(check, definition, definition.kind));
    }
    for (const id of gone) {
      const run = checks.get(id);
      checks.delete(id);
      if (run) this.#end(run);
    }
  }

  #begin({ node, id }: Check, definition: CheckDefinition, kind: ProbedKind): RunCheck {
    const { clock, log, slots, random = Math.random, minInterval = 1000, registry } = this.#options;
    const reportCheck: RegistryCommands['reportCheck'] = (_, status, output, cause) =>
      registry.external.report(node, id, status, output, cause);
    const reporter = new CheckReporter(`${node} ${id}`, { registry: { reportCheck }, clock, log });
    const asRun = {
      ...definition,
      interval: definition.interval || INTERVAL_MS,
      timeout: definition.timeout || TIMEOUT_MS,
      outputMaxSize: definition.outputMaxSize || DEFAULT_OUTPUT_MAX_SIZE,
    };
    const options = { clock, random, slots, minInterval, dockerHost: '' };
    const task = new ProbedCheck(kind, asRun, true, reporter, options);
    task.start();
    return { definition, reporter, task };
  }

  #letAllGo(): void {
    for (const node of [...this.#nodes.keys()]) this.#letNodeGo(node);
  }

  #letNodeGo(node: string): void {
    const known = this.#nodes.get(node);
    this.#nodes.delete(node);
    known?.unwatch();
    for (const run of known?.checks.values() ?? []) this.#end(run);
  }

  #end({ task, reporter }: RunCheck): void {
    const ending: Promise<unknown> = Promise.all([task.stop(), reporter.close()]).finally(() =>
      this.#ending.delete(ending),
    );
    this.#ending.add(ending);
  }
}

/** What somebody else has written into the catalog runs no program here. */
function isProbed(
  kind: CheckDefinition['kind'],
): kind is Extract<ProbedKind, { kind: 'http' | 'tcp' | 'udp' }> {
  return kind.kind === 'http' || kind.kind === 'tcp' || kind.kind === 'udp';
}
