import { VaneError } from '../core/errors.ts';
import type { Catalog } from './catalog.ts';
import { planCatalogDeregistration, planCatalogRegistration } from './catalog-plans.ts';
import type { ServiceRequest } from './commands.ts';
import { KV_WRITE_VERBS, type KvWrite, type KvWriteVerb, planKvWrite } from './kv-plans.ts';
import type { Change, Check, Indexed, Instance, KvEntry, RegistryNode, Unindexed } from './model.ts';

/** One operation. `index` is the one at which a `cas` or `delete-cas` takes its row to have been written last. */
export type TxnOp =
  | (Omit<KvWrite, 'verb'> & { readonly kind: 'kv'; readonly verb: string })
  | (At & { readonly kind: 'node'; readonly node: Unindexed<RegistryNode> })
  | (At & { readonly kind: 'service'; readonly node: string; readonly service: ServiceRequest })
  | (At & {
      readonly kind: 'check';
      readonly node: string;
      readonly check: Omit<Unindexed<Check>, 'node'>;
    });

interface At {
  readonly verb: string;
  readonly index: number;
}

/** What an operation answers with. */
export type TxnRow =
  /** `valued`: its value is part of the answer. */
  | { readonly kind: 'kv'; readonly entry: KvEntry; readonly valued: boolean }
  | { readonly kind: 'node'; readonly node: RegistryNode }
  | { readonly kind: 'service'; readonly service: Instance }
  | { readonly kind: 'check'; readonly check: Check };

const WRITES: ReadonlySet<string> = new Set(KV_WRITE_VERBS);

/** Whether it leaves everything as it is, an unknown verb of the key/value store included (Consul: `isWrite`). */
export function isRead({ kind, verb }: TxnOp): boolean {
  return kind === 'kv' ? !WRITES.has(verb) : verb === 'get';
}

type Apply = (changes: readonly Change[]) => void;

/** Runs one operation on a draft. Throws a VaneError with Consul's words for why it fails. */
export function runOp(draft: Catalog, op: TxnOp, apply: Apply): readonly TxnRow[] {
  switch (op.kind) {
    case 'kv':
      return runKv(draft, op, apply);
    case 'node':
      return runNode(draft, op, apply);
    case 'service':
      return runService(draft, op, apply);
    case 'check':
      return runCheck(draft, op, apply);
  }
}

type OpOf<K extends TxnOp['kind']> = Extract<TxnOp, { kind: K }>;

function runKv(draft: Catalog, op: OpOf<'kv'>, apply: Apply): readonly TxnRow[] {
  const { key, verb } = op;
  if (isWriteVerb(verb)) {
    const changes = planKvWrite(draft, { ...op, verb });
    if (!changes) throw failure(refusalOf(verb, key));
    apply(changes);
    return verb.startsWith('delete') ? [] : shown(draft.kv.entry(key).value, false);
  }
  if (key === '') throw failure('Must provide key');
  const entry = draft.kv.entry(key).value;
  switch (verb) {
    case 'get':
      if (!entry) throw failure(`key ${quoted(key)} doesn't exist`);
      return shown(entry, true);
    case 'get-tree':
      return draft.kv.under(key).value.flatMap((each) => shown(each, true));
    case 'check-session':
      if (!entry) throw failure(`failed to check session, key ${quoted(key)} doesn't exist`);
      if (entry.session === op.session) return shown(entry, false);
      throw failure(
        `failed session check for key ${quoted(key)}, current session ${quoted(entry.session)} != ${quoted(op.session)}`,
      );
    case 'check-index':
      if (!entry) throw failure(`failed to check index, key ${quoted(key)} doesn't exist`);
      if (entry.modifyIndex === op.index) return shown(entry, false);
      throw failure(
        `failed index check for key ${quoted(key)}, current modify index ${entry.modifyIndex} != ${op.index}`,
      );
    case 'check-not-exists':
      if (entry) throw failure(`key ${quoted(key)} exists`);
      return [];
    default:
      throw failure(`unknown KV verb ${quoted(verb)}`);
  }
}

function refusalOf(verb: KvWriteVerb, key: string): string {
  if (verb === 'lock') return `failed to lock key ${quoted(key)}, lock is already held`;
  if (verb === 'unlock') {
    return `failed to unlock key ${quoted(key)}, lock isn't held, or is held by another session`;
  }
  return `failed to ${verb === 'delete-cas' ? 'delete' : 'set'} key ${quoted(key)}, index is stale`;
}

function shown(entry: KvEntry | undefined, valued: boolean): readonly TxnRow[] {
  return entry ? [{ kind: 'kv', entry, valued }] : [];
}

/** A row of the catalog that an operation is about. */
interface Subject<R extends Indexed> {
  /** As Consul's errors call its kind and it: `Service`, `service "a" on node "b"`. */
  readonly kind: string;
  readonly what: string;
  readonly found: () => R | undefined;
  /** The row whose index `cas` and `delete-cas` compare; the one found unless it can be found in two ways. */
  readonly compared?: () => R | undefined;
  readonly shown: (row: R) => TxnRow;
  readonly put: () => readonly Change[];
  readonly removed: () => readonly Change[];
}

/** The verbs that nodes, services and checks share. */
function runRow<R extends Indexed>(
  { verb, index }: At,
  subject: Subject<R>,
  apply: Apply,
): readonly TxnRow[] {
  const { kind, what, found, compared = found, shown: asRow, put, removed } = subject;
  const set = () => {
    apply(put());
    const after = found();
    return after ? [asRow(after)] : [];
  };
  switch (verb) {
    case 'get': {
      const row = found();
      if (!row) throw failure(`${what} doesn't exist`);
      return [asRow(row)];
    }
    case 'set':
      return set();
    case 'cas':
      // Index 0 means that there is no such row.
      if ((compared()?.modifyIndex ?? 0) !== index) throw failure(`failed to set ${what}, index is stale`);
      return set();
    case 'delete-cas':
      if (compared()?.modifyIndex !== index) throw failure(`failed to delete ${what}, index is stale`);
      apply(removed());
      return [];
    case 'delete':
      apply(removed());
      return [];
    default:
      throw failure(`unknown ${kind} verb ${quoted(verb)}`);
  }
}

function runNode(draft: Catalog, op: OpOf<'node'>, apply: Apply): readonly TxnRow[] {
  const { id, node } = op.node;
  if (op.verb !== 'get' && node === '') throw failure('Must provide node');
  const named = () => draft.node(node).value?.node;
  const subject: Subject<RegistryNode> = {
    kind: 'Node',
    what: `node ${quoted(node)}`,
    found: () => (id === '' ? named() : draft.nodes().value.find((each) => each.id === id)),
    compared: named,
    shown: (row) => ({ kind: 'node', node: row }),
    put: () => {
      const request = { node: { ...op.node, skipUpdate: false }, service: undefined, checks: [] };
      return planCatalogRegistration(draft, request);
    },
    removed: () => planCatalogDeregistration(draft, { node, serviceId: undefined, checkId: undefined }),
  };
  return runRow(op, subject, apply);
}

function runService(draft: Catalog, op: OpOf<'service'>, apply: Apply): readonly TxnRow[] {
  const { node, service } = op;
  const { id } = service;
  const subject: Subject<Instance> = {
    kind: 'Service',
    what: `service ${quoted(id)} on node ${quoted(node)}`,
    found: () => draft.instance(node, id),
    shown: (row) => ({ kind: 'service', service: row }),
    put: () => planCatalogRegistration(draft, { node: known(draft, node), service, checks: [] }),
    removed: () => planCatalogDeregistration(draft, { node, serviceId: id, checkId: undefined }),
  };
  return runRow(op, subject, apply);
}

function runCheck(draft: Catalog, op: OpOf<'check'>, apply: Apply): readonly TxnRow[] {
  const { node, check } = op;
  const { id, serviceId } = check;
  const subject: Subject<Check> = {
    kind: 'Check',
    what: `check ${quoted(id)} on node ${quoted(node)}`,
    found: () => draft.check(node, id),
    shown: (row) => ({ kind: 'check', check: row }),
    put: () => {
      const request = { node: known(draft, node), service: undefined, checks: [check] };
      if (serviceId !== '' && !draft.instance(node, serviceId)) throw failure('Missing service registration');
      return planCatalogRegistration(draft, request);
    },
    removed: () => planCatalogDeregistration(draft, { node, serviceId: undefined, checkId: id }),
  };
  return runRow(op, subject, apply);
}

/** A node that something is registered on, which is to stay as it is. */
function known(draft: Catalog, name: string): RegistryNode & { readonly skipUpdate: true } {
  const node = draft.node(name).value?.node;
  if (!node) throw failure('Missing node registration');
  return { ...node, skipUpdate: true };
}

function isWriteVerb(verb: string): verb is KvWriteVerb {
  return WRITES.has(verb);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function failure(what: string): VaneError {
  return new VaneError('REGISTRY_INVALID', what);
}
