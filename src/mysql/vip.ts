import type { Socket } from 'node:net';
import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { HoldGate } from './endpoint/hold-gate.ts';
import { Sessions } from './endpoint/sessions.ts';
import { newEndpointTotals, type Server, type Side, type Site } from './endpoint/site.ts';
import { failbackBlock, isReplacement } from './failover/judgement.ts';
import { nextState } from './failover/next-state.ts';
import { isWritable, type ProbeOutcome, staleness } from './failover/server-facts.ts';
import {
  type FailoverPolicy,
  masterOf,
  newVipState,
  type Observation,
  serverOf,
  type VipState,
} from './failover/vip-state.ts';
import { ServerMonitor } from './monitor/server-monitor.ts';
import { Registrations, type VipRegistry } from './registrations.ts';
import type { MysqlServerView, MysqlVipView } from './view.ts';
import { entriesOf, entryStates } from './vip-entries.ts';
import { logVipEvent } from './vip-log.ts';
import { VipTally } from './vip-tally.ts';

export interface VipOptions {
  readonly config: MysqlVipConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: there is none in this process. */
  readonly registry: VipRegistry | undefined;
}

const REFUSED_FALL = 2;
const INBAND_VETO_MS = 2_000;
const LONGEST_STABLE_MS = 3_600_000;
const MOVES_PER_HOUR = 4;
const RELEASE_WITHIN_MS = 1_000;
/** While something is about to be decided, time is looked at this often, ms. */
const TICK_MS = 100;
/** Slaves whose lag differs by less are as good as each other, ms. */
const SAME_LAG_MS = 1_000;

/** One VIP: asks its servers, decides by what they say, and leads clients and names where that is decided to be. */
export class Vip implements Site {
  readonly name: string;
  readonly clock: Clock;
  readonly gate: HoldGate;
  readonly totals = newEndpointTotals();
  readonly #log: Log;
  readonly #sessions: Sessions;
  readonly #tally: VipTally;
  readonly #registrations: Registrations | undefined;
  readonly #servers: ReadonlyMap<string, Server>;
  readonly #heard = new Map<string, number>();
  readonly #draining = new Set<Cancel>();
  #config: MysqlVipConfig;
  #policy: FailoverPolicy;
  #monitors: ReadonlyMap<string, ServerMonitor> = new Map();
  #state: VipState;
  #tick: Cancel | undefined;
  #withdrawing: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor({ config, clock, log, registry }: VipOptions) {
    this.name = config.name;
    this.clock = clock;
    this.#log = log;
    this.#config = config;
    this.#policy = policyOf(config);
    this.#servers = new Map(config.servers.map((server) => [server.id, server]));
    this.gate = new HoldGate(clock, config.hold);
    this.#sessions = new Sessions(this, config.maxconn);
    this.#tally = new VipTally(clock);
    this.#state = newVipState(config.servers, clock.now());
    this.#registrations =
      registry && new Registrations({ registry, clock, log, vip: config.name, entries: entriesOf(config) });
  }

  get times() {
    return { hold: this.#config.hold.time, connect: this.#config.connectTimeout };
  }

  start(): void {
    this.#registrations?.want(new Map());
    this.#startMonitors();
  }

  /** Takes another configuration of the same servers, service and account. */
  update(config: MysqlVipConfig): void {
    const { interval, timeout } = this.#config.monitor;
    this.#config = config;
    this.#policy = policyOf(config);
    this.gate.limits = config.hold;
    this.#sessions.max = config.maxconn;
    if (config.monitor.interval !== interval || config.monitor.timeout !== timeout) {
      this.#stopMonitors();
      this.#startMonitors();
    }
    this.#observe({ kind: 'tick' });
  }

  /** Takes a client that has connected. */
  serve(client: Socket, side: Side): void {
    if (this.#withdrawing) client.destroy();
    else this.#sessions.serve(client, side);
  }

  route(side: Side, tried: ReadonlySet<string>): Server | undefined {
    const id = (side === 'ro' ? this.#routeForReading(tried) : undefined) ?? this.#state.target;
    return id === undefined ? undefined : this.#servers.get(id);
  }

  suspect(server: string): void {
    this.#monitors.get(server)?.probeNow();
  }

  heard(server: string): void {
    this.#heard.set(server, this.clock.now());
  }

  /** Takes itself out of the registry, lets sessions finish until the deadline, then ends them. Idempotent. */
  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  /** Decides nothing any more, and takes itself out of the registry. Idempotent. */
  withdraw(): Promise<void> {
    this.#withdrawing ??= this.#withdraw();
    return this.#withdrawing;
  }

  view(): MysqlVipView {
    const now = this.clock.now();
    const { phase, reason, since, epoch, target, alarms, servers } = this.#state;
    const { moves, lastFailover, unavailable } = this.#tally.read(now);
    return {
      ...{ name: this.name, phase, reason, age: now - since, epoch, target, alarms },
      waitsFor: phase === 'RECOVERING' ? failbackBlock(this.#state, now, this.#policy) : undefined,
      servers: servers.map(({ id }) => this.#serverView(id, now)),
      ...{ sessions: this.#sessions.size, held: this.gate.size, totals: this.totals },
      ...{ moves, lastFailover, unavailable },
    };
  }

  #serverView(id: string, now: number): MysqlServerView {
    const facts = serverOf(this.#state, id);
    const server = this.#servers.get(id);
    if (!facts || !server) throw new Error(`no server ${id}`);
    const stale = facts.role === 'slave' ? staleness(facts, masterOf(this.#state), now) : undefined;
    return {
      ...{ id, role: facts.role, up: facts.up, writable: isWritable(facts) },
      address: `${server.host}:${server.port}`,
      version: facts.reading?.version,
      lag: facts.up === true ? facts.reading?.replication?.lag : undefined,
      staleness: stale !== undefined && Number.isFinite(stale) ? stale : undefined,
      sessions: { rw: this.#sessions.count('rw', id), ro: this.#sessions.count('ro', id) },
      probes: this.#tally.probes(id),
      trouble: facts.trouble?.message,
    };
  }

  /** The slave that lags least, of those that lag alike the one with the fewest sessions; those tried already last. */
  #routeForReading(tried: ReadonlySet<string>): string | undefined {
    const now = this.clock.now();
    const master = masterOf(this.#state);
    const fit = this.#state.servers
      .filter((server) => isReplacement(this.#state, server, now, this.#policy))
      .map((server) => ({
        id: server.id,
        tried: Number(tried.has(server.id)),
        lag: Math.floor(staleness(server, master, now) / SAME_LAG_MS),
        sessions: this.#sessions.count('ro', server.id),
      }));
    const [best] = fit.toSorted((a, b) => a.tried - b.tried || a.lag - b.lag || a.sessions - b.sessions);
    // A master that works is better than a slave that did not.
    return best?.tried && master.up === true && this.#state.target === master.id && !tried.has(master.id)
      ? master.id
      : best?.id;
  }

  #startMonitors(): void {
    const { monitor, servers } = this.#config;
    const { user, password, interval, timeout } = monitor;
    this.#monitors = new Map(
      servers.map(({ id, host, port }) => [
        id,
        new ServerMonitor({
          target: { host, port, user, password },
          ...{ interval, timeout, clock: this.clock },
          onOutcome: (outcome) => this.#probed(id, outcome),
        }),
      ]),
    );
    for (const one of this.#monitors.values()) one.start();
  }

  #stopMonitors(): void {
    for (const monitor of this.#monitors.values()) monitor.stop();
  }

  #probed(server: string, outcome: ProbeOutcome): void {
    this.#tally.probed(server, outcome);
    this.#observe({ kind: 'probe', server, outcome, heardAt: this.#heard.get(server) });
    // What is not certain yet is asked again soon.
    const facts = serverOf(this.#state, server);
    const isInDoubt = facts && (facts.up === false ? facts.successes > 0 : facts.failures > 0);
    if (isInDoubt) this.#monitors.get(server)?.probeNow();
  }

  #observe(observation: Observation): void {
    if (this.#withdrawing) return;
    const now = this.clock.now();
    const before = this.#state;
    const { state, events } = nextState(before, observation, now, this.#policy);
    this.#state = state;
    for (const event of events) logVipEvent(this.#log, this.name, event);
    this.#tally.moved(before, state, now);
    this.#follow(before, state);
    this.#registrations?.want(entryStates(this.#config.service, state, now, this.#policy));
    if (before.phase !== state.phase && state.phase === 'SWITCHING') void this.#release(state.epoch);
    this.#watchTime();
  }

  /** Brings sessions where the state leads. */
  #follow(before: VipState, after: VipState): void {
    for (const server of after.servers) {
      const { id, role, up } = server;
      const was = serverOf(before, id);
      if (up === false && was?.up !== false) this.#sessions.leave(id, 'both', `${id} is down`, 'now');
      // Who came to read from a slave must not write there.
      const isRival = role === 'slave' && isWritable(server) && after.target !== id;
      if (isRival && was && !isWritable(was)) this.#sessions.leave(id, 'ro', `${id} takes writes`, 'now');
    }
    if (after.phase === 'SUSPECT' && before.phase !== 'SUSPECT') {
      for (const monitor of this.#monitors.values()) monitor.probeNow();
    }
    if (before.target === after.target) return;
    if (before.target !== undefined) this.#leave(before.target);
    if (after.target === undefined) this.gate.shut();
    else this.gate.open();
  }

  /** A server that works may see the sessions of writers out; they would stay on it for ever if nobody ended them. */
  #leave(server: string): void {
    const why = `${server} is not the target any more`;
    this.#sessions.leave(server, 'rw', why, 'when-idle');
    const cancel = this.clock.after(this.#config.drain, () => {
      this.#draining.delete(cancel);
      // It may be the target again.
      if (this.#state.target !== server) this.#sessions.leave(server, 'rw', why, 'now');
    });
    this.#draining.add(cancel);
  }

  /** The old target is let go of once no name leads to it. */
  async #release(epoch: number): Promise<void> {
    try {
      await this.#registrations?.settled();
    } catch (error) {
      this.#log.error({ vip: this.name, error: messageOf(error) }, 'mysql-vip: cannot let go of its target');
    }
    this.#observe({ kind: 'released', epoch });
  }

  #watchTime(): void {
    const { phase } = this.#state;
    if (phase !== 'SUSPECT' && phase !== 'SWITCHING') return;
    this.#tick ??= this.clock.after(TICK_MS, () => {
      this.#tick = undefined;
      this.#observe({ kind: 'tick' });
    });
  }

  async #withdraw(): Promise<void> {
    this.#tick?.();
    this.#stopMonitors();
    for (const cancel of this.#draining) cancel();
    this.gate.shut();
    await this.#registrations?.stop();
  }

  async #stop(deadline: number): Promise<void> {
    await this.withdraw();
    const why = new VaneError('STOPPING', 'this proxy stops');
    this.#sessions.drain(why);
    await this.#sessions.idle(deadline);
    this.#sessions.stop(why);
  }
}

function policyOf({ monitor, failover, failback }: MysqlVipConfig): FailoverPolicy {
  return {
    fall: monitor.fall,
    fallRefused: Math.min(REFUSED_FALL, monitor.fall),
    rise: monitor.rise,
    inbandVeto: INBAND_VETO_MS,
    unreachableWait: failover.unreachableWait,
    maxStale: failover.maxStale,
    failback: {
      ...failback,
      maxStable: LONGEST_STABLE_MS,
      maxPerHour: MOVES_PER_HOUR,
    },
    releaseWithin: RELEASE_WITHIN_MS,
  };
}
