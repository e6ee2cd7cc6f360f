import { formatPath, type Path } from '../problem.ts';
import type { BindAddress } from '../runtime/binds.ts';
import type { RuntimeConfig } from '../runtime/config.ts';
import type { ResolveContext } from './context.ts';

/** One address that is listened on over TCP, and where the file says so. */
interface Claim {
  readonly bind: BindAddress;
  readonly path: Path;
  /** What the file calls it, for the other's message. */
  readonly name: string;
  /** False: a default, which the file does not mention. */
  readonly written: boolean;
}

/** Reports every address that is listened on twice, at the later one. */
export function checkBinds(
  config: Omit<RuntimeConfig, 'backends' | 'resolvers'>,
  context: ResolveContext,
): void {
  const earlier: Claim[] = [];
  for (const claim of claims(config, context)) {
    const taken = earlier.find(({ bind }) => overlap(bind, claim.bind));
    if (taken) {
      const by = `${taken.name}${taken.written ? '' : ' by default'}`;
      const message = `${show(claim.bind)} is already taken: ${by} listens on ${show(taken.bind)}`;
      context.report({ path: claim.path, at: 'value', message });
    } else earlier.push(claim);
  }
}

/** Defaults first, so that a clash with one is told where the user wrote something. */
function claims(
  { global, registry, frontends, mysqlVips }: Omit<RuntimeConfig, 'backends' | 'resolvers'>,
  context: ResolveContext,
): readonly Claim[] {
  const own: readonly [BindAddress | undefined, Path][] = [
    [global.stats?.bind, ['global', 'stats', 'bind']],
    [registry?.http, ['registry', 'http']],
    [registry?.dns, ['registry', 'dns']],
  ];
  const all = own.flatMap(([bind, path]) => {
    const written = context.keys(path.slice(0, -1)).has(String(path.at(-1)));
    return bind ? [{ bind, path, name: formatPath(path), written }] : [];
  });
  all.sort((a, b) => Number(a.written) - Number(b.written));
  for (const { name, bind } of frontends) {
    for (const [i, address] of bind.entries()) {
      const path = ['frontends', name, 'bind'];
      all.push({ bind: address, path: [...path, i], name: formatPath(path), written: true });
    }
  }
  for (const { name, bind, bindRo } of mysqlVips) {
    for (const [key, binds] of [
      ['bind', bind],
      ['bind-ro', bindRo],
    ] as const) {
      const path = ['mysql-vip', name, key];
      for (const [i, address] of binds.entries()) {
        all.push({ bind: address, path: [...path, i], name: formatPath(path), written: true });
      }
    }
  }
  return all;
}

/** True when the system would refuse to bind both. Port 0 is another port each time. */
function overlap(a: BindAddress, b: BindAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a, b) || covers(b, a);
}

/** `::` also takes the IPv4 addresses. */
function covers({ host }: BindAddress, other: BindAddress): boolean {
  return host === '::' || (host === '0.0.0.0' && !other.host.includes(':'));
}

function show({ host, port }: BindAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
