import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Candidate, downtime, Members, type Transition } from '../../../src/balance/members.ts';
import { REMEMBERED_MS } from '../../../src/balance/remembered-modes.ts';
import { type ServerSnapshot, serverId } from '../../../src/balance/server.ts';
import type { OperatorMode, Work } from '../../../src/balance/state.ts';

const SOURCES = ['a', 'b', 'c'];
const reasons = { present: 'found', absent: () => 'lost' };

const candidate: fc.Arbitrary<Candidate> = fc.record({
  // Few names, one of which is what the rule for doubles makes of another.
  name: fc.constantFrom('web', 'db', 'web@10.0.0.2:80'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '::1'),
  port: fc.constantFrom(80, 81),
  instance: fc.constantFrom(undefined, undefined, 'i'),
  weight: fc.nat({ max: 3 }),
  tier: fc.nat({ max: 1 }),
  backup: fc.boolean(),
  maxconn: fc.nat({ max: 1 }),
  drain: fc.constantFrom(0, 10, 50),
});

const answer = fc.uniqueArray(candidate, { selector: idOf, maxLength: 6 });
const known = candidate.map(idOf);

type Step =
  | { readonly kind: 'sources'; readonly keys: readonly string[] }
  | {
      readonly kind: 'discover';
      readonly source: string;
      readonly answer: readonly Candidate[];
      /** The same answer in another order. */
      readonly shuffled: readonly Candidate[];
    }
  | { readonly kind: 'health'; readonly id: string; readonly up: boolean }
  | { readonly kind: 'operator'; readonly id: string; readonly mode: OperatorMode }
  | { readonly kind: 'idle'; readonly id: string }
  | { readonly kind: 'tick' };

const discover = fc
  .tuple(fc.constantFrom(...SOURCES), answer)
  .chain(([source, answer]) =>
    fc
      .shuffledSubarray(answer, { minLength: answer.length })
      .map((shuffled): Step => ({ kind: 'discover', source, answer, shuffled })),
  );

const step = fc.oneof(
  { weight: 4, arbitrary: discover },
  fc.shuffledSubarray(SOURCES).map((keys): Step => ({ kind: 'sources', keys })),
  fc.tuple(known, fc.boolean()).map(([id, up]): Step => ({ kind: 'health', id, up })),
  fc
    .tuple(known, fc.constantFrom<OperatorMode>('ready', 'drain', 'maint'))
    .map(([id, mode]): Step => ({ kind: 'operator', id, mode })),
  known.map((id): Step => ({ kind: 'idle', id })),
  fc.constant<Step>({ kind: 'tick' }),
);

/** Steps, each with the time that passes before it. */
const wait = fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 30 }) }, fc.constant(REMEMBERED_MS));
const steps = fc.array(fc.tuple(wait, step), { maxLength: 50 });

function idOf({ address, port, instance }: Candidate): string {
  return serverId(address, port, instance);
}

function apply(members: Members, step: Step, now: number, shuffled = false): readonly Transition[] {
  switch (step.kind) {
    case 'sources':
      return members.setSources(step.keys, now);
    case 'discover':
      return members.discover(step.source, shuffled ? step.shuffled : step.answer, reasons, now);
    case 'health':
      return members.health(step.id, step.up, 'checked', now);
    case 'operator':
      return members.operator(step.id, step.mode, 'told', now);
    case 'idle':
      return members.idle(step.id, now);
    case 'tick':
      return members.tick(now);
  }
}

interface ModelServer {
  said: Candidate;
  up: boolean;
  mode: OperatorMode;
  work: Work;
  deadline: number;
  downs: number;
  downtime: number;
}

/** The same rules the slow way: after every step everything is worked out anew for every server. */
class Model {
  #sources: readonly string[] = [];
  #answers: Record<string, readonly Candidate[]> = {};
  readonly servers = new Map<string, ModelServer>();
  /** What operators said of servers that are gone, and until when that holds. */
  readonly #remembered = new Map<string, { readonly mode: OperatorMode; readonly until: number }>();
  #now = 0;

  apply(step: Step, now: number): void {
    for (const server of this.servers.values()) {
      if (server.work !== 'open') server.downtime += now - this.#now;
    }
    this.#now = now;
    if (step.kind === 'sources') {
      this.#sources = step.keys;
      const kept = Object.entries(this.#answers).filter(([source]) => step.keys.includes(source));
      this.#answers = Object.fromEntries(kept);
    }
    if (step.kind === 'discover' && this.#sources.includes(step.source)) {
      this.#answers[step.source] = step.answer;
    }
    for (const [id, server] of this.servers) {
      if (step.kind === 'health' && step.id === id) server.up = step.up;
      if (step.kind === 'operator' && step.id === id) server.mode = step.mode;
      const over = step.kind === 'tick' ? now >= server.deadline : step.kind === 'idle' && step.id === id;
      if (server.work === 'draining' && over) server.work = 'closed';
    }
    this.#settle(now);
  }

  #settle(now: number): void {
    const present = new Map<string, Candidate>();
    for (const said of this.#sources.flatMap((source) => this.#answers[source] ?? [])) {
      if (!present.has(idOf(said))) present.set(idOf(said), said);
    }
    for (const [id, said] of present) {
      const server = this.servers.get(id);
      if (server) server.said = said;
      else {
        const before = this.#remembered.get(id);
        const mode = before && now < before.until ? before.mode : 'ready';
        const work = mode === 'ready' ? 'open' : 'closed';
        this.servers.set(id, { said, up: true, mode, work, deadline: 0, downs: 0, downtime: 0 });
      }
    }
    for (const [id, server] of this.servers) {
      const may = present.has(id) && server.up && server.mode === 'ready';
      if (may) server.work = 'open';
      else if (server.work === 'open') {
        server.work = server.said.drain > 0 ? 'draining' : 'closed';
        server.deadline = now + server.said.drain;
        server.downs++;
      }
      if (server.work === 'closed' && !present.has(id)) {
        this.servers.delete(id);
        this.#remembered.set(id, { mode: server.mode, until: now + REMEMBERED_MS });
      }
    }
  }
}

/** Runs the steps, showing each with its time. */
function run(steps: readonly (readonly [number, Step])[], each: (step: Step, now: number) => void): void {
  let now = 0;
  each({ kind: 'sources', keys: SOURCES }, now);
  for (const [wait, step] of steps) {
    now += wait;
    each(step, now);
  }
}

test('members are what the model says, after any steps', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      const model = new Model();
      run(steps, (step, now) => {
        apply(members, step, now);
        model.apply(step, now);
        const expected = [...model.servers].map(([id, { said, work, deadline, downs, downtime }]) => {
          const { name: _, drain: __, instance: ___, ...rest } = said;
          const until = work === 'draining' ? deadline : undefined;
          return [id, { ...rest, work, until, downs, downtime }];
        });
        const actual = [...members.all()].map((member) => {
          const { id, name: _, admission: __, rank: ___, tls: ____, ...rest } = member.snapshot;
          const { work, drainDeadline: until } = member.state;
          return [id, { ...rest, work, until, downs: member.downs, downtime: downtime(member, now) }];
        });
        expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
        const deadlines = [...model.servers.values()].flatMap((s) =>
          s.work === 'draining' ? s.deadline : [],
        );
        expect(members.nextDeadline()).toBe(deadlines.length > 0 ? Math.min(...deadlines) : undefined);
      });
    }),
    { numRuns: 300 },
  );
});

test('ids and names are unique, and the plane sees exactly the open and the draining servers', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      run(steps, (step, now) => {
        const before = members.snapshots();
        const copy = [...before];
        apply(members, step, now);
        const all = [...members.all()];
        expect(new Set(all.map((member) => member.id)).size).toBe(all.length);
        expect(new Set(all.map((member) => member.snapshot.name)).size).toBe(all.length);
        const seen = all.filter((member) => member.state.work !== 'closed');
        for (const { snapshot, state } of seen) expect(snapshot.admission).toBe(state.work);
        const snapshots = members.snapshots();
        expect(new Set(snapshots)).toEqual(new Set(seen.map((member) => member.snapshot)));
        expect(snapshots).toHaveLength(seen.length);
        // The array is a new one exactly when something in it changed.
        expect(before).toEqual(copy);
        if (snapshots !== before) expect(snapshots).not.toEqual(before);
      });
    }),
  );
});

test('transitions tell the whole story, and end what they began', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      const story = new Map<string, Work>();
      run(steps, (step, now) => {
        for (const { member, from, to, ended, source, at } of apply(members, step, now)) {
          expect(at).toBe(now);
          expect(from).toBe(story.get(member.id) ?? 'new');
          expect(to).not.toBe(from);
          expect(ended !== undefined).toBe(source === 'drain');
          if (ended) expect(from).toBe('draining');
          if (to === 'gone') story.delete(member.id);
          else story.set(member.id, to);
        }
        const works = [...members.all()].map((member) => [member.id, member.state.work] as const);
        expect(story).toEqual(new Map(works));
      });
    }),
  );
});

test('the order within an answer means nothing', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      const other = new Members();
      run(steps, (step, now) => {
        expect(apply(other, step, now, true)).toEqual(apply(members, step, now));
        expect(other.snapshots()).toEqual(members.snapshots());
        expect(other.all()).toEqual(members.all());
      });
    }),
  );
});

test('whatever is said twice changes nothing the second time, names included', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      run(steps, (step, now) => {
        apply(members, step, now);
        const before = { snapshots: members.snapshots(), all: members.all() };
        expect(apply(members, step, now, true)).toEqual([]);
        expect(members.snapshots()).toBe(before.snapshots);
        expect(members.all()).toEqual(before.all);
      });
    }),
  );
});

test('whoever hears of every change knows the same as whoever is shown all', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 8 }), (parts) => {
      const members = new Members();
      const known = new Map<string, ServerSnapshot>();
      for (const steps of parts) {
        run(steps, (step, now) => {
          const before = members.snapshots();
          apply(members, step, now);
          if (members.snapshots() !== before) expect(members.changed).toBe(true);
        });
        const { servers, gone } = members.takeChanges();
        for (const id of gone) expect(known.delete(id)).toBe(true);
        for (const server of servers) {
          expect(known.get(server.id)).not.toEqual(server);
          known.set(server.id, server);
        }
        expect(members.changed).toBe(false);
        expect(new Set(known.values())).toEqual(new Set(members.snapshots()));
      }
    }),
    { numRuns: 50 },
  );
});

test('an answer by what has changed of it is as good as the whole', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      const other = new Members();
      const last = new Map<string, readonly Candidate[]>();
      run(steps, (step, now) => {
        const expected = apply(members, step, now);
        if (step.kind === 'sources')
          for (const source of SOURCES) if (!step.keys.includes(source)) last.delete(source);
        if (step.kind !== 'discover') expect(apply(other, step, now)).toEqual(expected);
        else {
          const there = new Set(step.answer.map(idOf));
          const gone = (last.get(step.source) ?? []).map(idOf).filter((id) => !there.has(id));
          expect(other.discoverChange(step.source, step.shuffled, gone, reasons, now)).toEqual(expected);
          last.set(step.source, step.answer);
        }
        expect(other.all()).toEqual(members.all());
        expect(other.snapshots()).toEqual(members.snapshots());
        expect(other.open).toBe(other.all().filter(({ state }) => state.work === 'open').length);
      });
    }),
  );
});

test('a server that is there keeps its name for as long as nobody calls it anything else', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const members = new Members();
      const model = new Model();
      let called = new Map<string, readonly [wanted: string, name: string]>();
      run(steps, (step, now) => {
        apply(members, step, now);
        model.apply(step, now);
        const next = new Map<string, readonly [string, string]>();
        for (const { id, snapshot, state } of members.all()) {
          const wanted = model.servers.get(id)?.said.name ?? '';
          const [wantedBefore, name] = called.get(id) ?? [];
          const { present } = state.facts.discovery;
          if (present && wanted === wantedBefore) expect(snapshot.name).toBe(name);
          const where = serverId(snapshot.address, snapshot.port);
          expect(snapshot.name === wanted || snapshot.name.startsWith(`${wanted}@${where}`)).toBe(true);
          // One that is not there may lose it to one that is.
          if (present) next.set(id, [wanted, snapshot.name]);
        }
        called = next;
      });
    }),
  );
});
