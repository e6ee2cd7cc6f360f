import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutlierChange } from '../../../../src/balance/outlier.ts';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { Lease } from '../../../../src/proxy/plane/lease.ts';
import { LiveBackend } from '../../../../src/proxy/plane/live-backend.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const NAMES = ['a', 'b', 'c'];
const SERVERS = NAMES.map((name) => serverSnapshot(name, { maxconn: 2 }));
const MOST = 5;

type Step =
  | { readonly kind: 'acquire'; readonly tried: readonly string[] }
  | { readonly kind: 'done'; readonly pick: number; readonly error: ErrorCode | undefined }
  | { readonly kind: 'flip'; readonly name: string; readonly open: boolean }
  | { readonly kind: 'pass'; readonly ms: number };

const error = fc.constantFrom<ErrorCode | undefined>(
  ...([
    undefined,
    undefined,
    'CONNECT_REFUSED',
    'UPSTREAM_CLOSED',
    'UPSTREAM_TIMEOUT',
    'CLIENT_ABORTED',
  ] as const),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('acquire' as const),
      tried: fc.subarray(SERVERS.map(({ id }) => id)),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('done' as const), pick: fc.nat(), error }) },
  fc.record({ kind: fc.constant('flip' as const), name: fc.constantFrom(...NAMES), open: fc.boolean() }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 3_000 }) }),
);

function finish(lease: Lease, code: ErrorCode | undefined): void {
  if (code === undefined) lease.answered();
  lease.done({
    ...{ error: code && new VaneError(code, 'x'), status: code === undefined ? 200 : undefined },
    ...{ reused: false, queuedMs: 0, connectMs: code?.startsWith('CONNECT') ? undefined : 1, totalMs: 1 },
    ...{ responseMs: code === undefined ? 1 : undefined, bytesIn: 0, bytesOut: 0, next: undefined },
  });
}

test('whatever servers do to their work, nobody is tried twice in vain, no limit is exceeded, and all get their turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new FakeClock();
      const out = new Set<string>();
      const open = new Map(SERVERS.map((server) => [server.name, true]));
      const outlier = { errors: 2, time: 2_000, max: 50 };
      const timeout = { ...backendConfig().timeout, queue: 0 };
      const backend = new LiveBackend(backendConfig({ outlier, timeout, maxConnections: MOST }), {
        clock,
        random: () => 0,
        events: {
          ...{ idle: () => {}, trouble: () => {}, observed: () => {}, cut: () => {}, spared: () => {} },
          steered: ({ id }, { change }: OutlierChange) =>
            change === 'ejected' ? out.add(id) : out.delete(id),
        },
      });
      backend.setServers(SERVERS);
      const held = new Set<Lease>();
      let waiting = 0;
      const active = (id: string) => [...held].filter(({ server }) => server.id === id).length;
      for (const one of steps) {
        if (one.kind === 'pass') clock.advance(one.ms);
        else if (one.kind === 'flip') {
          open.set(one.name, one.open);
          const snapshot = SERVERS.find(({ name }) => name === one.name);
          if (snapshot && !one.open) out.delete(snapshot.id);
          if (snapshot) {
            backend.changeServers([{ ...snapshot, admission: one.open ? 'open' : 'draining' }], []);
          }
        } else if (one.kind === 'done') {
          const lease = [...held][one.pick % (held.size || 1)];
          if (lease) {
            held.delete(lease);
            finish(lease, one.error);
          }
        } else {
          const offered = SERVERS.filter(({ name }) => open.get(name));
          if (offered.length === 0) {
            expect(() => backend.acquire({ tried: new Set(), stay: undefined })).toThrow('no server');
            continue;
          }
          const before = new Set(out);
          const got = backend.acquire({ tried: new Set(one.tried), stay: undefined });
          const others = offered.filter(({ id }) => !one.tried.includes(id));
          if ('leave' in got) {
            waiting++;
            void got.lease.then((lease) => {
              waiting--;
              held.add(lease);
            });
            const usable = (others.length > 0 ? others : offered).filter(({ id }) => !out.has(id));
            const room = usable.some(({ id }) => active(id) < 2);
            expect(room && held.size < MOST).toBe(false);
          } else {
            if (others.length > 0) expect(one.tried).not.toContain(got.server.id);
            // One that is out has work only for a trial, or where there is nobody else.
            const well = others.some(({ id }) => !before.has(id));
            if (before.has(got.server.id) && well) expect(active(got.server.id)).toBeLessThan(2);
            held.add(got);
          }
        }
        await settle();
        expect(held.size).toBeLessThanOrEqual(MOST);
        expect(backend.active).toBe(held.size);
        for (const { id } of SERVERS) expect(active(id)).toBeLessThanOrEqual(2);
      }
      // With all servers there and well, everybody who waits is served.
      backend.setServers(SERVERS);
      for (let i = 0; i < 300 && (held.size > 0 || waiting > 0); i++) {
        for (const lease of [...held]) {
          held.delete(lease);
          finish(lease, undefined);
        }
        clock.advance(1_000);
        await settle();
      }
      expect(waiting).toBe(0);
      expect(backend.active).toBe(0);
    }),
    { numRuns: 150 },
  );
});
