import type { Socket } from 'node:net';
import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Agreement } from './agreement/agreement.ts';
import type { SharedRegistry } from './agreement/registry-keys.ts';
import type { SharedKeys } from './agreement/shared-keys.ts';
import { HoldGate } from './endpoint/hold-gate.ts';
import { Orphans } from './endpoint/orphans.ts';
import { Sessions } from './endpoint/sessions.ts';
import { countOrphans, newEndpointTotals, type Server, type Side, type Site } from './endpoint/site.ts';
import { nextState } from './failover/next-state.ts';
import { outcomeOf } from './failover/orders.ts';
import { serverForReading } from './failover/reading-route.ts';
import { savedOf } from './failover/saved-state.ts';
import { isWritable, type ProbeOutcome } from './failover/server-facts.ts';
import type { Order } from './failover/standing.ts';
import { type FailoverPolicy, type Observation, serverOf, type VipState } from './failover/vip-state.ts';
import { firstState } from './first-state.ts';
import { ServerMonitor } from './monitor/server-monitor.ts';
import { NodeAgents } from './node-agents.ts';
import type { VipRegistry } from './registrations/builtin-instances.ts';
import { Registrations } from './registrations/registrations.ts';
import type { MysqlVipView, OrderAnswer } from './view.ts';
import { vipAgreement } from './vip-agreement.ts';
import { entriesOf, entryStates } from './vip-entries.ts';
import { logOrphans, logUnblocked, logVipEvent } from './vip-log.ts';
import { type VipPlaces, vipPlaces } from './vip-places.ts';
import { policyOf, RELEASE_WITHIN_MS } from './vip-policy.ts';
import { type PromotedVip, until, VipPromotions } from './vip-promotions.ts';
import { VipTally } from './vip-tally.ts';
import { vipView } from './vip-view.ts';
import type { VipsFile } from './vips-file.ts';

export interface VipOptions {
  readonly config: MysqlVipConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: there is none in this process. */
  readonly registry: (VipRegistry & SharedRegistry) | undefined;
  /** The name of this node. */
  readonly node: string;
  /** Undefined: nothing outlives a restart. */
  readonly file: VipsFile | undefined;
}

/** While something is about to be decided, time is looked at this often, ms. */
const TICK_MS = 100;

/** One VIP: asks its servers, decides by what they say, and leads clients and names where that is decided to be. */
export class Vip implements Site {
  readonly name: string;
  readonly clock: Clock;
  readonly gate: HoldGate;
  readonly totals = newEndpointTotals();
  readonly orphans = new Orphans();
  readonly #log: Log;
  readonly #sessions: Sessions;
  readonly #tally: VipTally;
  readonly #places: VipPlaces;
  readonly #registrations: Registrations | undefined;
  readonly #servers: ReadonlyMap<string, Server>;
  readonly #heard = new Map<string, number>();
  readonly #draining = new Set<Cancel>();
  readonly #file: VipsFile | undefined;
  readonly #promotions: VipPromotions | undefined;
  readonly #agents: NodeAgents | undefined;
  readonly #agreement: Agreement | undefined;
  #config: MysqlVipConfig;
  #policy: FailoverPolicy;
  #monitors: ReadonlyMap<string, ServerMonitor> = new Map();
  #state: VipState;
  #tick: Cancel | undefined;
  readonly #wallOffset: number;
  #withdrawing: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor({ config, clock, log, registry, node, file }: VipOptions) {
    this.name = config.name;
    this.clock = clock;
    this.#log = log;
    this.#config = config;
    this.#policy = policyOf(config);
    this.#servers = new Map(config.servers.map((server) => [server.id, server]));
    this.gate = new HoldGate(clock, config.hold);
    this.#sessions = new Sessions(this, config.maxconn);
    this.#tally = new VipTally(clock);
    this.#file = file;
    this.#wallOffset = clock.wall() - clock.now();
    const saved = file?.find(config.name);
    this.#state = firstState(config, saved, { now: clock.now(), wallOffset: this.#wallOffset, log });
    const entries = entriesOf(config, this.#state);
    this.#places = vipPlaces(config, { clock, log, node, registry });
    const { instances, keys } = this.#places;
    this.#registrations =
      instances && new Registrations({ instances, clock, log, vip: config.name, entries });
    this.#agents =
      registry &&
      new NodeAgents(registry.catalog, config.servers, (server, isLost) =>
        this.#observe({ kind: 'agent', server, isLost }),
      );
    this.#agreement = keys && this.#agreementIn(keys, node);
    this.#promotions = config.promote && new VipPromotions(this.#promotedVip(), config.promote);
  }

  get times() {
    return { hold: this.#config.hold.time, connect: this.#config.connectTimeout };
  }

  start(): void {
    this.#registrations?.want(new Map());
    this.#agents?.start();
    this.#agreement?.start();
    this.#startMonitors();
  }

  /** Takes another configuration of the same servers, service and account. */
  update(config: MysqlVipConfig): void {
    const { interval, timeout } = this.#config.monitor;
    this.#config = config;
    this.#policy = policyOf(config);
    if (this.#promotions && config.promote) this.#promotions.config = config.promote;
    this.gate.limits = config.hold;
    this.#sessions.max = config.maxconn;
    if (config.monitor.interval !== interval || config.monitor.timeout !== timeout) {
      this.#stopMonitors();
      this.#startMonitors();
    }
    this.#observe({ kind: 'tick' });
  }

  /**
   * Takes a client that has connected.
   * @param withHead a head of the PROXY protocol is to come first
   */
  serve(client: Socket, side: Side, withHead: boolean): void {
    if (this.#withdrawing) client.destroy();
    else this.#sessions.serve(client, side, withHead);
  }

  route(side: Side, tried: ReadonlySet<string>): Server | undefined {
    if (this.#state.standing.paused) return undefined;
    const id = (side === 'ro' ? this.#routeForReading(tried) : undefined) ?? this.#state.target;
    return id === undefined ? undefined : this.#servers.get(id);
  }

  suspect(server: string, blocked = false): void {
    const monitor = this.#monitors.get(server);
    if (blocked) monitor?.loginNow();
    else monitor?.probeNow();
  }

  heard(server: string): void {
    this.#heard.set(server, this.clock.now());
  }

  /** Does as an operator says, or with `isDry` only tells what that would be. */
  async order(order: Order, by: string, isDry: boolean): Promise<OrderAnswer> {
    if (order.do === 'rejoin' && !isDry) {
      try {
        await this.#promotions?.prepareRejoin(order.server);
      } catch (error) {
        return { refused: `${order.server} could not be made a slave: ${messageOf(error)}` };
      }
    }
    const outcome = outcomeOf(order, this.#state, this.clock.now(), this.#policy);
    if ('refused' in outcome) return { refused: outcome.refused };
    const { will } = outcome;
    if (!isDry) {
      this.#log.info({ vip: this.name, order: order.do, by }, `mysql-vip ${this.name} is told: ${order.do}`);
      this.#observe({ kind: 'order', order });
    }
    return { will };
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
    const sessions = {
      all: this.#sessions.size,
      of: (side: Side, id: string) => this.#sessions.count(side, id),
    };
    return vipView({
      ...{ name: this.name, state: this.#state, policy: this.#policy, now: this.clock.now() },
      ...{ servers: this.#servers, sessions, held: this.gate.size, totals: this.totals, tally: this.#tally },
    });
  }

  #routeForReading(tried: ReadonlySet<string>): string | undefined {
    const sessions = (server: string) => this.#sessions.count('ro', server);
    return serverForReading(this.#state, this.#policy, this.clock.now(), tried, sessions);
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
          onUnblocked: () => logUnblocked(this.#log, this.name, id),
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
    if (outcome.ok) void this.#endOrphans(server);
    // What is not certain yet is asked again soon.
    const facts = serverOf(this.#state, server);
    const isInDoubt = facts && (facts.up === false ? facts.successes > 0 : facts.failures > 0);
    if (isInDoubt) this.#monitors.get(server)?.probeNow();
  }

  async #endOrphans(server: string): Promise<void> {
    const counts = await this.orphans.end(server, (some) => this.#monitors.get(server)?.kill(some));
    if (counts) countOrphans(this.totals, counts);
    if (counts) logOrphans(this.#log, this.name, server, counts);
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
    if (before.demoted !== state.demoted || before.promotedAt !== state.promotedAt)
      this.#registrations?.replace(entriesOf(this.#config, state));
    this.#registrations?.want(entryStates(this.#config.service, state, now, this.#policy));
    if (before.phase !== state.phase && state.phase === 'SWITCHING') void this.#release(state.since);
    this.#agreement?.changed();
    this.#save();
    if (before.phase !== state.phase && state.phase === 'PROMOTING') this.#promotions?.begin(state);
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
      if (isRival && id === after.demoted && was && !isWritable(was)) void this.#promotions?.fence(id);
      const isDrained = after.standing.drained.includes(id) && !before.standing.drained.includes(id);
      if (isDrained) this.#leave(id, 'ro', `${id} is drained`);
    }
    if (before.standing.paused && !after.standing.paused && after.target !== undefined) this.gate.open();
    if (after.phase === 'SUSPECT' && before.phase !== 'SUSPECT') {
      for (const monitor of this.#monitors.values()) monitor.probeNow();
    }
    if (before.target === after.target) return;
    if (before.target !== undefined) {
      this.#leave(before.target, 'rw', `${before.target} is not the target any more`);
    }
    if (after.target === undefined) this.gate.shut();
    else this.gate.open();
  }

  /** A server that works may see the sessions of writers out; they would stay on it for ever if nobody ended them. */
  #leave(server: string, side: Side, why: string): void {
    this.#sessions.leave(server, side, why, 'when-idle');
    const cancel = this.clock.after(this.#config.drain, () => {
      this.#draining.delete(cancel);
      // It may be in use again.
      const { target, standing } = this.#state;
      const isLeft = side === 'rw' ? target !== server : standing.drained.includes(server);
      if (isLeft) this.#sessions.leave(server, side, why, 'now');
    });
    this.#draining.add(cancel);
  }

  #promotedVip(): PromotedVip {
    return {
      ...{ name: this.name, clock: this.clock, log: this.#log, servers: this.#servers },
      state: () => this.#state,
      left: async (server) => {
        await until(this.clock, this.clock.now() + this.#config.drain + RELEASE_WITHIN_MS, () => {
          return this.#sessions.count('rw', server) === 0;
        });
        // Should this process end in the middle of it, the next one must know.
        await this.#file?.written();
      },
      observe: (observation) => this.#observe(observation),
      probeNow: (server) => this.suspect(server),
      onHook: (hook, result, ms) => this.#tally.hooked(hook, result, ms),
    };
  }

  #agreementIn(keys: SharedKeys, node: string): Agreement {
    return vipAgreement({
      ...{ keys, clock: this.clock, log: this.#log, vip: this.name, node },
      ...{ servers: this.#config.servers, wallOffset: this.#wallOffset },
      state: () => this.#state,
      observe: (observation) => this.#observe(observation),
    });
  }

  #save(): void {
    // Durations since then are what counts, and a wall clock that is set must not look like a change.
    this.#file?.note(this.name, savedOf(this.#state, this.#config.servers, this.#wallOffset));
  }

  /** The old target is let go of once no name leads to it. */
  async #release(since: number): Promise<void> {
    try {
      await this.#registrations?.settled();
      await this.#agreement?.written();
    } catch (error) {
      this.#log.error({ vip: this.name, error: messageOf(error) }, 'mysql-vip: cannot let go of its target');
    }
    this.#observe({ kind: 'released', since });
  }

  #watchTime(): void {
    const { phase } = this.#state;
    const isWaiting = this.#state.awaitsSince !== undefined;
    if (phase !== 'SUSPECT' && phase !== 'SWITCHING' && !isWaiting) return;
    this.#tick ??= this.clock.after(TICK_MS, () => {
      this.#tick = undefined;
      this.#observe({ kind: 'tick' });
    });
  }

  async #withdraw(): Promise<void> {
    this.#tick?.();
    this.#stopMonitors();
    this.#agents?.stop();
    for (const cancel of this.#draining) cancel();
    this.gate.shut();
    await this.#promotions?.settled();
    await this.#agreement?.stop();
    await this.#registrations?.stop();
    this.#places.close();
    await this.#file?.written();
  }

  async #stop(deadline: number): Promise<void> {
    await this.withdraw();
    const why = new VaneError('STOPPING', 'this proxy stops');
    this.#sessions.drain(why);
    await this.#sessions.idle(deadline);
    this.#sessions.stop(why);
  }
}
