import { fold } from './fold.ts';
import type { Instance } from './model.ts';
import type { AtIndex, ServiceEntry } from './reader.ts';
import { SortedMap } from './sorted-map.ts';
import type { NodeRows } from './tables.ts';

/** One instance where its service lists it; the entry is made when asked for and kept until something in it changes. */
interface Slot {
  readonly rows: NodeRows;
  readonly instance: Instance;
  entry: ServiceEntry | undefined;
}

interface Service {
  /** By folded node, then folded instance id. */
  readonly slots: SortedMap<Slot>;
  index: number;
  answer: AtIndex<readonly ServiceEntry[]> | undefined;
  /** Names as they are written (several may fold to one) with their distinct tags. */
  tags: ReadonlyMap<string, readonly string[]> | undefined;
}

const NO_ENTRIES: readonly ServiceEntry[] = [];

/**
 * The instances of every service with the index of each service (Consul 1.9's `service.<name>` and
 * `service_last_extinction` indexes).
 */
export class ServiceIndex {
  readonly #services = new Map<string, Service>();
  /** When a service last lost its last instance, and the floor below which nothing is known. */
  #extinction: number;

  constructor(floor: number) {
    this.#extinction = floor;
  }

  indexOf(service: string): number {
    return this.#services.get(fold(service))?.index ?? this.#extinction;
  }

  entries(service: string): AtIndex<readonly ServiceEntry[]> {
    const known = this.#services.get(fold(service));
    if (!known) return { index: this.#extinction, value: NO_ENTRIES };
    known.answer ??= { index: known.index, value: known.slots.values().map(entryOf) };
    return known.answer;
  }

  /** Every service by folded name. */
  tags(): ReadonlyMap<string, readonly string[]> {
    const all = new Map<string, readonly string[]>();
    for (const [, service] of [...this.#services].sort(([a], [b]) => (a < b ? -1 : 1))) {
      service.tags ??= tagsOf(service);
      for (const [name, tags] of service.tags) all.set(name, tags);
    }
    return all;
  }

  put(rows: NodeRows, instance: Instance, index: number): void {
    const key = fold(instance.service);
    let service = this.#services.get(key);
    if (!service) {
      service = { slots: new SortedMap(), index, answer: undefined, tags: undefined };
      this.#services.set(key, service);
    }
    service.slots.set(slotKey(instance), { rows, instance, entry: undefined });
    service.index = index;
    service.answer = undefined;
    service.tags = undefined;
  }

  remove(instance: Instance, index: number): void {
    const key = fold(instance.service);
    const service = this.#services.get(key);
    if (!service) return;
    service.slots.delete(slotKey(instance));
    service.index = index;
    service.answer = undefined;
    service.tags = undefined;
    if (service.slots.size > 0) return;
    this.#services.delete(key);
    this.#extinction = index;
  }

  /** Something that counts for this instance changed: its node or a check. */
  touch(instance: Instance, index: number): void {
    const service = this.#services.get(fold(instance.service));
    const slot = service?.slots.get(slotKey(instance));
    if (!service || !slot) return;
    slot.entry = undefined;
    service.index = index;
    service.answer = undefined;
  }
}

function entryOf(slot: Slot): ServiceEntry {
  const { rows, instance } = slot;
  slot.entry ??= {
    node: rows.node,
    instance,
    checks: [
      ...(rows.checksOf.get('')?.values() ?? []),
      ...(rows.checksOf.get(fold(instance.id))?.values() ?? []),
    ],
  };
  return slot.entry;
}

function tagsOf(service: Service): ReadonlyMap<string, readonly string[]> {
  const distinct = new Map<string, Set<string>>();
  for (const { instance } of service.slots.values()) {
    const tags = distinct.get(instance.service) ?? new Set();
    for (const tag of instance.tags) tags.add(tag);
    distinct.set(instance.service, tags);
  }
  return new Map([...distinct].map(([name, tags]) => [name, [...tags]]));
}

/** NUL sorts before everything else, so that a node's instances stay together. Names do not contain it. */
function slotKey(instance: Instance): string {
  return `${fold(instance.node)}\0${fold(instance.id)}`;
}
