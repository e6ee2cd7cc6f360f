import { ConfigError } from '../config/problem.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { ClusterStatus, MemberView } from '../registry/cluster/cluster.ts';
import { askVane } from './ask.ts';

const FAILED = 1;

/** Lists the nodes that share a registry, for people or as JSON. Resolves to the exit code: 1 when they are not known. */
export function members(path: string, options: { readonly json?: true }): Promise<number> {
  return told(path, ({ members, trouble }) => {
    if (trouble !== undefined) throw new VaneError('STORE_FAILED', trouble);
    return options.json ? JSON.stringify(members, null, 2) : table(members).join('\n');
  });
}

/** The same with who leads and how far the node asked is behind. */
export function clusterStatus(path: string, options: { readonly json?: true }): Promise<number> {
  return told(path, (status) => (options.json ? JSON.stringify(status, null, 2) : describe(status)));
}

async function told(path: string, text: (status: ClusterStatus) => string): Promise<number> {
  try {
    console.log(text((await askVane(path, '/cluster', {})) as ClusterStatus));
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `No status: ${messageOf(error)}`);
    return FAILED;
  }
}

function describe(status: ClusterStatus): string {
  const { self, lease, leader, index, lag, behindMs, unsent, members, trouble } = status;
  return [
    `this node    ${self}, lease ${lease}`,
    `leader       ${leader ?? 'not known'}`,
    `store        ${trouble === undefined ? 'reached' : `away: ${trouble}`}`,
    `changes      taken in up to ${index}, ${lag} behind, ${unsent} not sent yet`,
    `out of date  ${behindMs === 0 ? 'no' : `possibly, for ${seconds(behindMs)}`}`,
    ...(members.length === 0 ? [] : ['', ...table(members)]),
  ].join('\n');
}

function table(members: readonly MemberView[]): readonly string[] {
  const rows = members.map(({ node, address, state, leads, left, pid, host }) => [
    node,
    address,
    leads ? `${state}, leads` : state,
    left > 0 ? `lapses in ${seconds(left)}` : `lapsed ${seconds(-left)} ago`,
    `process ${pid} on ${host}`,
  ]);
  const all = [['node', 'address', 'state', 'lease', 'who'], ...rows];
  const widths = all[0]?.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0))) ?? [];
  return all.map((row) =>
    row
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
