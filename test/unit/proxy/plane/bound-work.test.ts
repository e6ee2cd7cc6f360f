import { describe, expect, test } from 'vitest';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import type { CookieConfig } from '../../../../src/config/runtime/stickiness.ts';
import type { Lease } from '../../../../src/proxy/plane/lease.ts';
import { LiveBackend } from '../../../../src/proxy/plane/live-backend.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const A = serverSnapshot('a');
const B = serverSnapshot('b');
const COOKIE: CookieConfig = {
  ...{ name: 'SRV', mode: 'insert', indirect: false, nocache: false, postonly: false, preserve: false },
  ...{ httpOnly: false, secure: false, domains: [], attributes: [], maxIdle: 0, maxLife: 0, key: 'k' },
};
const DONE = {
  ...{ error: undefined, status: 200, reused: false, queuedMs: 0, connectMs: 0, responseMs: 1, totalMs: 1 },
  ...{ bytesIn: 0, bytesOut: 0, next: undefined },
};

function setUp(...servers: readonly ServerSnapshot[]) {
  const idle: string[] = [];
  const stickiness = { cookie: COOKIE, table: undefined, rules: [], ignore: [] };
  const backend = new LiveBackend(backendConfig({ stickiness }), {
    clock: new FakeClock(),
    random: () => 0,
    events: {
      idle: ({ name }) => idle.push(name),
      ...{ trouble() {}, steered() {}, observed() {}, spared() {}, cut() {} },
    },
  });
  backend.setServers(servers);
  const ask = (bound: string, tried: readonly string[] = []) =>
    backend.acquire({ tried: new Set(tried), stay: undefined, bound });
  /** Where work goes at once. */
  const at = (bound: string, tried: readonly string[] = []): Lease => {
    const got = ask(bound, tried);
    if ('leave' in got) throw new Error('had to wait');
    return got;
  };
  return { backend, idle, ask, at };
}

describe('work of a client that belongs to a server', () => {
  test('goes there, unless it has failed there or that is gone', () => {
    const { at } = setUp(A, B);
    for (let i = 0; i < 4; i++) expect(at(B.id).server.name).toBe('b');
    expect(at(B.id, [B.id]).server.name).toBe('a');
    const { at: alone } = setUp(A);
    expect(alone(B.id).server.name).toBe('a');
  });

  test('goes there though it has weight 0 or is drained by an operator, but not when it drains for another reason', () => {
    for (const server of [
      { ...B, weight: 0 },
      { ...B, admission: 'draining', keeps: true },
    ] as const) {
      expect(setUp(A, server).at(B.id).server.name).toBe('b');
      expect(setUp(server).at(B.id).server.name).toBe('b');
      expect(() => setUp(server).at(A.id)).toThrow('no server that takes work');
    }
    expect(setUp(A, { ...B, admission: 'draining' }).at(B.id).server.name).toBe('a');
  });

  test('waits there when that is full, and others do not wait for it', async () => {
    const { ask, at } = setUp(A, { ...B, maxconn: 1, weight: 0 });
    const first = at(B.id);
    const second = ask(B.id);
    if (!('leave' in second)) throw new Error('did not wait');
    expect(at('nobody').server.name).toBe('a');
    first.done(DONE);
    await settle();
    expect((await second.lease).server.name).toBe('b');
  });

  test('goes elsewhere when too many wait there', () => {
    const { ask, at } = setUp(A, { ...B, maxconn: 1, maxqueue: 1 });
    at(B.id);
    expect('leave' in ask(B.id)).toBe(true);
    expect(at(B.id).server.name).toBe('a');
  });

  test('is no work left of a drain until that keeps no clients any more', () => {
    const kept = { ...B, admission: 'draining', keeps: true } as const;
    const { backend, idle, at } = setUp(A, kept);
    at(B.id).done(DONE);
    expect(idle).toEqual([]);
    backend.changeServers([{ ...B, admission: 'draining' }], []);
    expect(idle).toEqual(['b']);
  });
});
