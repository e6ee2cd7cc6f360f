import { fold } from '../registry/fold.ts';
import type { Check, CheckKind, CheckStatus } from '../registry/model.ts';
import { SERF_HEALTH } from '../registry/names.ts';
import type { CatalogReader } from '../registry/reader.ts';
import type { Reporter } from './report.ts';

type AliasKind = Extract<CheckKind, { kind: 'alias' }>;

export interface AliasOptions {
  /** Its own id on this node: a check of the node must not follow itself. */
  readonly id: string;
  readonly catalog: CatalogReader;
  readonly outputOf: (check: Check) => string;
  readonly reporter: Reporter;
}

/** Consul's alias check: as bad as the worst check of another service, or of a node, its node's checks included. */
export class AliasCheck {
  readonly #kind: AliasKind;
  readonly #options: AliasOptions;
  #unwatch: (() => void)[] = [];
  #dueToJudge = false;
  #said: { status: CheckStatus; output: string } | undefined;

  constructor(kind: AliasKind, options: AliasOptions) {
    this.#kind = kind;
    this.#options = options;
  }

  start(): void {
    const { catalog } = this.#options;
    const judgeSoon = () => this.#judgeSoon();
    this.#unwatch = [
      catalog.watch({ kind: 'health-node', node: this.#node }, judgeSoon),
      catalog.watch({ kind: 'node', node: this.#node }, judgeSoon),
    ];
    judgeSoon();
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch.splice(0)) unwatch();
  }

  get #node(): string {
    return this.#kind.node || this.#options.catalog.self;
  }

  /** Later: a watcher must not commit while the commit it hears of is still being told. */
  #judgeSoon(): void {
    if (this.#dueToJudge) return;
    this.#dueToJudge = true;
    queueMicrotask(() => {
      this.#dueToJudge = false;
      if (this.#unwatch.length > 0) this.#judge();
    });
  }

  #judge(): void {
    const { catalog, id, outputOf, reporter } = this.#options;
    const { node, serviceId } = this.#kind;
    // Whether an agent lives is not one of its own checks.
    const local = sameName(this.#node, catalog.self);
    const checks = catalog
      .nodeChecks(this.#node)
      .value.filter((check) => !(local && (check.id === id || check.id === SERF_HEALTH)));
    const exists =
      serviceId === ''
        ? catalog.node(this.#node).value !== undefined
        : catalog.instance(this.#node, serviceId) !== undefined;
    const finding = judgeAlias({ node, serviceId, checks, exists, outputOf });
    if (finding.status === this.#said?.status && finding.output === this.#said.output) return;
    this.#said = finding;
    reporter.report(finding.status, finding.output);
  }
}

/**
 * What an alias of `serviceId` (empty: the node) says, in Consul's words.
 * @param checks all checks of the node; those of other services are passed over
 */
export function judgeAlias(target: {
  readonly node: string;
  readonly serviceId: string;
  readonly checks: readonly Check[];
  readonly exists: boolean;
  readonly outputOf: (check: Check) => string;
}): { status: CheckStatus; output: string } {
  const { node, serviceId, exists, outputOf } = target;
  if (!exists) {
    const what = serviceId === '' ? `Node ${node}` : `Service ${serviceId}`;
    const where = serviceId === '' ? '' : ` on node ${node}`;
    return { status: 'critical', output: `${what} could not be found${where}` };
  }
  const counting = target.checks.filter(
    (check) => check.serviceId === '' || sameName(check.serviceId, serviceId),
  );
  const failing = (status: CheckStatus, check: Check) => ({
    status,
    output: `Aliased check "${check.name}" failing: ${outputOf(check)}`,
  });
  const critical = counting.find((check) => check.status !== 'passing' && check.status !== 'warning');
  if (critical) return failing('critical', critical);
  // The last one, as Consul's loop has it.
  const warning = counting.findLast((check) => check.status === 'warning');
  if (warning) return failing('warning', warning);
  return { status: 'passing', output: counting.length > 0 ? 'All checks passing.' : 'No checks found.' };
}

function sameName(a: string, b: string): boolean {
  return fold(a) === fold(b);
}
