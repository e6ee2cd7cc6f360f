import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type OperatorMode, reasonOf } from '../../../src/balance/state.ts';
import type { ServerSource } from '../../../src/config/runtime/servers.ts';
import { BackendControl } from '../../../src/control/backend-control.ts';
import { VaneError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import { idOf } from '../../../src/discovery/discovered-set.ts';
import type { Endpoint, Resolution } from '../../../src/discovery/resolution.ts';
import { Watchers } from '../../../src/discovery/watchers.ts';
import { localChannel } from '../../../src/proxy/plane/channel.ts';
import type { Lease } from '../../../src/proxy/plane/lease.ts';
import type { ToPlane } from '../../../src/proxy/plane/messages.ts';
import { Plane } from '../../../src/proxy/plane/plane.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { backendConfig } from '../proxy/fixtures.ts';
import { BackendModel, type Entry } from './backend-model.ts';

const DRAIN = 100;
const NAMES = ['a', 'b'];
const STATIC = '10.0.0.2:80';

/** Two instances of one address and port, one of which also comes back on another port, and a plain address. */
const ENDPOINTS = [
  endpoint('10.0.0.1', 80, 'web-1'),
  endpoint('10.0.0.1', 80, 'web-2'),
  endpoint('10.0.0.1', 81, 'web-1'),
  endpoint('10.0.0.2', 80, STATIC),
];
const BY_ID = new Map(ENDPOINTS.map((one) => [idOf(one), one]));
const IDS = [...BY_ID.keys()];

function endpoint(address: string, port: number, name: string): Endpoint {
  return { address, port, name, weight: 1, priority: 0 };
}

type Step =
  | { readonly kind: 'answer'; readonly name: string; readonly found: readonly string[] | 'failing' }
  | { readonly kind: 'reload'; readonly keys: readonly string[]; readonly weight: number }
  | { readonly kind: 'operator'; readonly id: string; readonly mode: OperatorMode }
  | { readonly kind: 'health'; readonly id: string; readonly up: boolean }
  | { readonly kind: 'work' }
  | { readonly kind: 'done'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number };

const id = fc.constantFrom(...IDS);
const name = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('answer'),
      name,
      found: fc.oneof({ weight: 4, arbitrary: fc.shuffledSubarray(IDS) }, fc.constant('failing')),
    }),
  },
  fc.record({
    kind: fc.constant('reload'),
    keys: fc.shuffledSubarray([...NAMES, STATIC], { minLength: 1 }),
    weight: fc.constantFrom(1, 2),
  }),
  fc.record({ kind: fc.constant('operator'), id, mode: fc.constantFrom('ready', 'drain', 'maint') }),
  fc.record({ kind: fc.constant('health'), id, up: fc.boolean() }),
  { weight: 3, arbitrary: fc.constant({ kind: 'work' }) },
  fc.record({ kind: fc.constant('done'), pick: fc.nat() }),
  fc.record({ kind: fc.constant('pass'), ms: fc.constantFrom(1, 60, 99, 100) }),
);

function entries(keys: readonly string[], weight: number): readonly Entry[] {
  return keys.map((key) => (key === STATIC ? { key, weight, address: STATIC } : { key, weight }));
}

function configOf(all: readonly Entry[]) {
  const rest = { backup: false, maxconn: 0, drain: DRAIN, check: undefined };
  const servers = all.map(({ key, weight, address }): ServerSource => {
    if (address) return { kind: 'address', key, host: '10.0.0.2', port: 80, weight, ...rest };
    const how = { port: undefined, resolvers: 'corp', interval: 3_600_000, onEmpty: 'drain' } as const;
    return { kind: 'domain', key, domain: key, weight, ...how, ...rest };
  });
  return backendConfig({ servers });
}

/** A backend from its names to the data plane, and the model beside it. */
class Scene {
  readonly clock = new FakeClock();
  readonly model = new BackendModel(DRAIN);
  readonly plane: Plane;
  readonly backend: BackendControl;
  /** Changes told to the data plane. */
  readonly told: ToPlane[] = [];
  readonly held: Lease[] = [];
  readonly #watching = new Map<string, Set<() => void>>();
  readonly #watchers: Watchers;

  constructor(first: readonly Entry[]) {
    const { clock } = this;
    const { control, plane } = localChannel();
    this.plane = new Plane({ channel: plane, clock, random: () => 0, log: silentLog, access: () => {} });
    const resolver = {
      id: 'corp',
      resolve: async (name: string) => this.#lookUp(name),
      watch: (name: string, fn: () => void) => {
        const all = this.#watching.get(name) ?? new Set();
        this.#watching.set(name, all.add(fn));
        return () => void all.delete(fn);
      },
    };
    const resolvers = new Map([['corp', resolver]]);
    this.#watchers = new Watchers({ resolvers, clock, random: () => 0.5, log: silentLog });
    this.backend = new BackendControl(configOf(first), {
      clock,
      log: silentLog,
      watchers: this.#watchers,
      onMembers: () => {},
      tracked: () => undefined,
      standing: () => undefined,
      publish: (change) => {
        this.told.push({ type: 'change', change });
        control.post({ type: 'change', change });
      },
    });
    control.onMessage((message) => {
      expect(message.type).not.toBe('missed');
      if (message.type === 'idle') this.backend.idle(message.server);
    });
    const sets = [this.backend.set];
    const config = {
      generation: 1,
      maxconn: 10,
      closeSpread: 0,
      frontends: [],
      backends: [backendConfig()],
      sets,
    };
    control.post({ type: 'config', ...config });
  }

  async start(first: readonly Entry[]): Promise<void> {
    await settle();
    this.backend.start();
    this.model.start(first);
    await settle();
    this.model.settle(this.clock.now());
  }

  async apply(step: Step): Promise<void> {
    const { clock, model, backend } = this;
    switch (step.kind) {
      case 'answer':
        model.names.set(step.name, step.found);
        for (const fn of this.#watching.get(step.name) ?? []) fn();
        model.lookUp(step.name);
        break;
      case 'reload':
        backend.update(configOf(entries(step.keys, step.weight)));
        model.reload(entries(step.keys, step.weight));
        break;
      case 'operator': {
        backend.operator(step.id, step.mode, 'told');
        const server = model.servers.get(step.id);
        if (server) server.mode = step.mode;
        break;
      }
      case 'health': {
        backend.health(step.id, { up: step.up, stopping: false, why: 'checked', row: 1 }, undefined);
        const server = model.servers.get(step.id);
        if (server) server.up = step.up;
        break;
      }
      case 'work':
        this.#work();
        break;
      case 'done': {
        const [lease] = this.held.splice(step.pick % (this.held.length || 1), 1);
        const server = lease && model.servers.get(lease.server.id);
        if (server) server.held--;
        if (lease) finish(lease);
        break;
      }
      case 'pass':
        await clock.advanceAsync(step.ms);
    }
    await settle();
    model.settle(clock.now());
  }

  /** Everything that can be seen is what the model says. */
  check(): void {
    const { model, backend } = this;
    const members = new Map(backend.members.all().map((member) => [member.id, member]));
    const expected = [...model.servers].map(([id, server]) => {
      const { work, deadline } = server;
      return [id, work, work === 'draining' ? deadline : undefined, model.reason(server)];
    });
    const actual = [...members.values()].map(({ id, state }) => {
      const why = state.work === 'open' ? undefined : reasonOf(state.facts).source;
      return [id, state.work, state.drainDeadline, why];
    });
    expect(actual.sort()).toEqual(expected.sort());
    const rows = this.plane.backend('web')?.counters().servers ?? [];
    const known = [...model.servers].filter(([, { work }]) => work !== 'closed');
    expect(rows.map(({ id, scur, lbtot }) => [id, scur, lbtot]).sort()).toEqual(
      known.map(([id, { held, given }]) => [id, held, given]).sort(),
    );
    for (const [id, { present }] of model.servers) {
      if (present) expect([id, members.get(id)?.snapshot.weight]).toEqual([id, model.weight(id)]);
    }
    // By the registry's name; another one only where two have the same.
    for (const { snapshot } of members.values()) {
      const wanted = BY_ID.get(snapshot.id)?.name ?? '';
      expect([wanted, `${wanted}@${snapshot.address}:${snapshot.port}`]).toContain(snapshot.name);
    }
  }

  async end(): Promise<void> {
    this.backend.stop();
    this.#watchers.stop();
    for (const lease of this.held.splice(0)) finish(lease);
    this.plane.close();
    await settle();
    expect(this.clock.pending).toBe(0);
  }

  #work(): void {
    const { model } = this;
    const live = this.plane.backend('web');
    const open = [...model.servers.values()].some(({ work }) => work === 'open');
    if (!live) throw new Error('no backend');
    const want = { tried: new Set<string>(), stay: undefined };
    if (!open) {
      expect(() => live.acquire(want)).toThrow('no server');
      return;
    }
    const lease = live.acquire(want);
    if ('leave' in lease) throw new Error('had to wait');
    const server = model.servers.get(lease.server.id);
    expect(server?.work).toBe('open');
    if (server) server.held++;
    if (server) server.given++;
    this.held.push(lease);
    lease.onCancel = () => {
      this.held.splice(this.held.indexOf(lease), 1);
      finish(lease);
    };
  }

  #lookUp(name: string): Resolution {
    const found = this.model.names.get(name) ?? 'failing';
    if (found === 'failing') return { ok: false, error: new VaneError('RESOLVE_TIMEOUT', 'no answer') };
    return { ok: true, endpoints: found.flatMap((id) => BY_ID.get(id) ?? []), excluded: [] };
  }
}

function finish(lease: Lease): void {
  const times = { queuedMs: 0, connectMs: 0, responseMs: 0, totalMs: 0, bytesIn: 0, bytesOut: 0 };
  lease.done({ error: undefined, status: 200, reused: false, next: undefined, ...times });
}

test('who takes new work, who finishes old work, who is gone and why is what the model says, after any steps', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const first = entries(NAMES, 1);
      const scene = new Scene(first);
      await scene.start(first);
      for (const one of steps) {
        await scene.apply(one);
        scene.check();
        // Said again, it changes nothing, and nobody is told.
        if (one.kind === 'pass' || one.kind === 'work' || one.kind === 'done') continue;
        const before = scene.told.length;
        await scene.apply(one);
        scene.check();
        expect(scene.told.slice(before)).toEqual([]);
      }
      await scene.end();
    }),
    { numRuns: 400 },
  );
}, 60_000);
