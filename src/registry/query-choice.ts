import { fold } from './fold.ts';
import type { PreparedQuery } from './model.ts';
import { aggregateStatus, type ServiceEntry } from './reader.ts';

/**
 * The instances of its service that a prepared query chooses, in their order.
 *
 * @param warningsFail warnings count as failures, whatever the query says
 */
export function chosenBy(
  query: PreparedQuery,
  entries: readonly ServiceEntry[],
  warningsFail: boolean = false,
): readonly ServiceEntry[] {
  const ignored = new Set(query.ignoreCheckIds);
  const tags = (query.tags ?? []).map(fold);
  const wanted = tags.filter((tag) => !tag.startsWith('!'));
  const unwanted = tags.filter((tag) => tag.startsWith('!')).map((tag) => tag.slice(1));
  return entries.filter(({ instance, node, checks }) => {
    const status = aggregateStatus(checks.filter(({ id }) => !ignored.has(id)));
    if (status === 'critical' || ((query.onlyPassing || warningsFail) && status !== 'passing')) return false;
    const present = new Set(instance.tags.map(fold));
    if (wanted.some((tag) => !present.has(tag)) || unwanted.some((tag) => present.has(tag))) return false;
    return hasAll(node.meta, query.nodeMeta) && hasAll(instance.meta, query.serviceMeta);
  });
}

type Meta = Readonly<Record<string, string>> | null;

function hasAll(meta: Meta, wanted: Meta): boolean {
  return Object.entries(wanted ?? {}).every(
    ([key, value]) => meta !== null && Object.hasOwn(meta, key) && meta[key] === value,
  );
}
