import type { Member } from '../balance/members.ts';
import { serverId } from '../balance/server.ts';
import { reasonOf } from '../balance/state.ts';
import { idOf } from '../discovery/discovered-set.ts';
import type { ServerCheckFacts } from '../health/server-check.ts';
import type { ServerChecks } from '../health/server-checks.ts';
import type { BackendControl } from './backend-control.ts';
import type { HistoryEvent } from './history.ts';

/** Why the servers of a backend are in or out, and what befell them of late. All times are wall-clock ms. */
export interface BackendExplanation {
  readonly backend: string;
  readonly at: number;
  /** It has a server that takes new work, and since when that is so. */
  readonly up: boolean;
  readonly since: number;
  readonly panic: {
    /** Percent of the servers that must be up; 0: there is no panic. */
    readonly threshold: number;
    readonly active: boolean;
    readonly since: number;
    readonly entered: number;
  };
  readonly names: readonly NameExplanation[];
  /** By name; one, if one was asked for. */
  readonly servers: readonly ServerExplanation[];
  /** Gone of late, the last one first. */
  readonly departed: readonly DepartedExplanation[];
  /** What befell the backend itself, the oldest first. */
  readonly events: readonly HistoryEvent[];
}

export interface NameExplanation {
  readonly domain: string;
  readonly resolvers: string;
  /** Undefined: never since the start. */
  readonly lastAnswer: number | undefined;
  /** In the last answer. */
  readonly found: number | undefined;
  readonly error: string | undefined;
  readonly stale: boolean;
  /** What was known before the start stands in for an answer. */
  readonly hint: boolean;
  /** `on-empty` keeps the servers from before; until when, if not for good. */
  readonly kept: boolean;
  readonly until: number | undefined;
  /** Names of servers that are gone from the answer and that `max-removal` holds. */
  readonly held: readonly string[];
  /** Instances that the source knows and says not to use, or that cannot be used, and why. */
  readonly excluded: readonly { readonly name: string; readonly address: string; readonly why: string }[];
}

export interface ServerExplanation {
  readonly server: string;
  /** Its identity: address and port, and which instance it is where a registry says so. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly work: Member['state']['work'];
  /** Who decided that, what was said, and since when it is so. */
  readonly decided: { readonly source: string; readonly why: string };
  readonly since: number;
  readonly drainEnds: number | undefined;
  readonly discovery: { readonly present: boolean; readonly held: boolean } & Said;
  readonly health: { readonly up: boolean; readonly check: CheckExplanation | undefined } & Said;
  readonly operator: { readonly mode: string } & Said;
  readonly weight: number;
  readonly backup: boolean;
  /** The oldest first. */
  readonly events: readonly HistoryEvent[];
}

interface Said {
  readonly why: string;
  readonly since: number;
}

type CheckExplanation = Pick<ServerCheckFacts, 'position' | 'lastCode' | 'why' | 'row'>;

export interface DepartedExplanation {
  readonly server: string;
  readonly id: string;
  readonly events: readonly HistoryEvent[];
}

/**
 * @param server its name, address or id; all that fit are told of, and of the departed as well. Undefined: everybody
 * @param time of now: on the clock that all `since` in control are on, and on the wall
 */
export function explain(
  backend: BackendControl,
  checks: Pick<ServerChecks, 'state'>,
  server: string | undefined,
  { now, wall }: { readonly now: number; readonly wall: number },
): BackendExplanation {
  const { name, config, members, news } = backend;
  const at = (clockMs: number) => Math.round(wall - (now - clockMs));
  const { up, since } = news.outage.read(now);
  const { active, since: panicSince, entered } = news.panic.read(now);
  const names = [...backend.names()].map(({ source, state }) => ({ source, state }));
  const held = new Set(names.flatMap(({ state }) => state.held.map(idOf)));
  const asked = (id: string, called: string) => server === undefined || isCalled(server, id, called);
  const servers = members.all().filter(({ id, snapshot }) => asked(id, snapshot.name));
  return {
    backend: name,
    at: wall,
    up,
    since: at(since),
    panic: { threshold: config.panicThreshold ?? 0, active, since: at(panicSince), entered },
    names: names.map(({ source, state }) => ({
      domain: source.domain,
      resolvers: source.resolvers,
      lastAnswer: state.lastGood === undefined ? undefined : at(state.lastGood),
      found: state.servers,
      error: state.error?.message,
      stale: state.stale,
      hint: state.set?.hint === true,
      kept: state.kept,
      until: state.until === undefined ? undefined : at(state.until),
      held: state.held.map((endpoint) => endpoint.name),
      excluded: (state.set?.excluded ?? []).map((one) => ({
        name: one.name,
        address: serverId(one.address, one.port),
        why: one.why,
      })),
    })),
    servers: servers
      .map((member) => {
        const check = checks.state(`${name}/${member.id}`);
        return explainServer(
          member,
          check,
          held.has(member.id),
          news.history.of(member.id)?.events ?? [],
          at,
        );
      })
      .sort((a, b) => (a.server < b.server ? -1 : 1)),
    departed: news.history.departed
      .filter(({ id, name: called }) => asked(id, called))
      .map(({ id, name: called, events }) => ({ server: called, id, events })),
    events: news.history.events,
  };
}

/** Whether a server is the one that somebody asks for. */
export function isCalled(asked: string, id: string, name: string): boolean {
  return asked === name || asked === id || asked === id.split('/', 1)[0];
}

function explainServer(
  { id, snapshot, state }: Member,
  check: ServerCheckFacts | undefined,
  held: boolean,
  events: readonly HistoryEvent[],
  at: (clockMs: number) => number,
): ServerExplanation {
  const { discovery, health, operator } = state.facts;
  const { name: server, address, port, weight, backup } = snapshot;
  const said = ({ why, since }: Said) => ({ why, since: at(since) });
  const panics = state.panic && state.work === 'open' && !health.up;
  return {
    ...{ server, id, address, port, work: state.work, weight, backup, events },
    decided: panics ? { source: 'panic', why: 'too few servers are up' } : reasonOf(state.facts),
    since: at(state.since),
    drainEnds: state.drainDeadline === undefined ? undefined : at(state.drainDeadline),
    discovery: { present: discovery.present, held, ...said(discovery) },
    health: {
      up: health.up,
      check: check && {
        position: check.position,
        lastCode: check.lastCode,
        why: check.why,
        row: check.row,
      },
      ...said(health),
    },
    operator: { mode: operator.mode, ...said(operator) },
  };
}
