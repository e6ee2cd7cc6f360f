import type { ServerSet } from '../balance/server.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import { type ControlEnd, localChannel } from '../proxy/plane/channel.ts';
import type { PlaneCounters } from '../proxy/plane/counters.ts';
import type { FromPlane, PlaneNews, ToPlane } from '../proxy/plane/messages.ts';
import type { WorkerSettings } from '../proxy/plane/worker-channel.ts';
import { mergeAnswers } from '../proxy/stick/table-question.ts';
import { IdleVotes } from './idle-votes.ts';
import { KnownSets } from './known-sets.ts';
import { addPast, addPeaks, configured, mergeCounters, NOTHING, pruned } from './merge-counters.ts';
import { type BindSocket, SharedSockets, type SocketsByKey } from './shared-sockets.ts';
import { shareOfConfig, shareOfSet } from './shares.ts';
import { SilentWorkers } from './silent-workers.ts';
import type { ProcessView } from './view.ts';
import type { Worker } from './worker.ts';
import { START_WITHIN_MS, WorkerCrew } from './worker-crew.ts';
import type { WorkerProcess } from './worker-process.ts';
import { WorkerReplacement } from './worker-replacement.ts';

type ConfigMessage = Extract<ToPlane, { type: 'config' }>;
type TicketsMessage = Extract<ToPlane, { type: 'tickets' }>;
type ServersMessage = Extract<ToPlane, { type: 'servers' | 'change' }>;

export interface PlaneGroupOptions {
  /** How many workers. */
  readonly size: number;
  readonly spawn: () => WorkerProcess;
  readonly bind: BindSocket;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
}

type Settings = Omit<WorkerSettings, 'worker'>;

/** For any worker to say that it is there, then to take a configuration; for all a little less than control waits. */
const PROBE_WITHIN_MS = 5_000;
const LEAD_WITHIN_MS = 3_500;
const ALL_WITHIN_MS = 9_000;
/** Workers that are being started have this long to be up when all are to end, ms. */
const SETTLE_WITHIN_MS = 2_000;
/** Counters are collected this often, so that little is lost with a worker that dies, ms. */
const COLLECT_MS = 2_000;

/**
 * Data planes in processes of their own, which look like one to control: what control says goes to all of them, and
 * what they say is put together. A worker that dies costs its own connections; the one that takes its place is told
 * all that the others know.
 */
export class PlaneGroup implements Part {
  readonly name = 'data plane';
  readonly #options: PlaneGroupOptions;
  readonly #line = localChannel();
  readonly #crew: WorkerCrew;
  readonly #replacement: WorkerReplacement;
  readonly #sockets: SharedSockets;
  readonly #votes = new IdleVotes<Worker>();
  readonly #silent: SilentWorkers;
  #settings: Settings;
  /** What is in force, and the servers of its backends as they are now. */
  #config: ConfigMessage | undefined;
  /** Names of its backends. */
  #configured: ReadonlySet<string> = new Set();
  readonly #sets = new KnownSets();
  /** Changes of servers that wait until it is clear whether a configuration is taken; undefined: there is none. */
  #held: ServersMessage[] | undefined;
  #tickets: TicketsMessage | undefined;
  /** What ended workers have counted. */
  #past = NOTHING;
  #pastDropped = 0;
  #cancelCollect: Cancel | undefined;
  #draining = false;

  constructor(options: PlaneGroupOptions) {
    const { size, spawn, bind, settings, clock, log } = options;
    this.#options = options;
    this.#settings = settings;
    this.#silent = new SilentWorkers(log);
    this.#sockets = new SharedSockets(bind);
    this.#crew = new WorkerCrew({
      ...{ size, spawn, clock, log },
      started: (worker) => this.#started(worker),
      ended: (worker) => this.#ended(worker),
      news: (worker, message) => this.#hear(worker, message),
    });
    const within = () => this.#settings.hardStopAfter;
    this.#replacement = new WorkerReplacement({ crew: this.#crew, log, within });
    this.#line.plane.onMessage((message) => void this.#obey(message));
  }

  /** Control's end of the line. */
  get channel(): ControlEnd {
    return this.#line.control;
  }

  get workers(): ProcessView['workers'] {
    const { running, draining, restarts } = this.#crew;
    return { running, draining, restarts };
  }

  /** Lines of access logs that workers had to drop so far. */
  get accessDropped(): number {
    return this.#crew.all.reduce((sum, worker) => sum + worker.accessDropped, this.#pastDropped);
  }

  /** Rejects with INTERNAL when the workers cannot be started; then none is left. */
  async start(): Promise<void> {
    await this.#crew.start();
    this.#armCollect();
  }

  async stop(): Promise<void> {
    this.#cancelCollect?.();
    this.#sockets.close();
    await this.#crew.stop();
    this.#line.control.close();
  }

  /** Has the workers follow other settings from now on. */
  set(settings: Settings): void {
    this.#settings = settings;
    for (const worker of this.#crew.all) worker.set(settings);
  }

  /** Has other processes take the places of the workers; see {@link WorkerReplacement.request}. */
  replaceWorkers(): Promise<void> {
    return this.#replacement.request();
  }

  #obey(message: ToPlane): void {
    switch (message.type) {
      case 'config':
        return void this.#configure(message);
      case 'servers':
      case 'change':
        if (this.#held) this.#held.push(message);
        else this.#setServers(message);
        return;
      case 'tickets':
        this.#tickets = message;
        return void this.#tell(message);
      case 'stick':
        return void this.#tell(message);
      case 'teach':
        return void this.#crew.all[0]?.tell(message);
      case 'collect':
        return void this.#tellCounters(message.id);
      case 'table':
        return void this.#askTable(message);
      case 'drain':
        return void this.#drain(message.withinMs);
    }
  }

  /**
   * The first worker that answers takes it first, and only then do the others: what one refuses, none of them gets. Sockets are bound
   * before, by this process.
   */
  async #configure(message: ConfigMessage): Promise<void> {
    const { generation } = message;
    const reject = (problems: Extract<FromPlane, { type: 'rejected' }>['problems'], why?: string) =>
      this.#say({ type: 'rejected', generation, problems, ...(why === undefined ? {} : { why }) });
    if (this.#held) return reject([], 'another configuration is being taken');
    if (this.#draining) return reject([]);
    this.#held = [];
    const startedAt = this.#options.clock.now();
    const [bound, lead] = await Promise.all([
      this.#sockets.bind(message.frontends),
      this.#crew.lead(PROBE_WITHIN_MS),
    ]);
    if (!bound.ok) {
      this.#release();
      return reject(bound.problems);
    }
    if (this.#draining || !lead) {
      bound.undo();
      this.#release();
      return this.#draining ? reject([]) : reject([], 'no worker answers');
    }
    const share = shareOfConfig(message, this.#options.size);
    try {
      const answer = await lead.configure(share, bound.sockets, LEAD_WITHIN_MS);
      if (answer.type !== 'applied') {
        bound.undo();
        this.#release();
        return reject(answer.type === 'rejected' ? answer.problems : []);
      }
      const others = this.#crew.workers.filter((worker) => worker !== lead);
      this.#commit(message);
      const closeOld = bound.keep();
      const deadline = startedAt + ALL_WITHIN_MS;
      const all = Promise.all(others.map((worker) => this.#follow(worker, share, bound.sockets, deadline)));
      this.#release();
      await all;
      // Only now, when nobody listens on what is given up any more.
      closeOld();
      this.#say({ type: 'applied', generation, listening: answer.listening });
    } catch (error) {
      // What it has taken is not known: the one that takes its place gets what is in force.
      lead.kill();
      bound.undo();
      this.#release();
      reject([], messageOf(error));
    }
  }

  /** Has one more worker take what another has taken already. */
  async #follow(
    worker: Worker,
    share: ConfigMessage,
    sockets: SocketsByKey,
    deadline: number,
  ): Promise<void> {
    const within = Math.max(0, deadline - this.#options.clock.now());
    try {
      await this.#give(worker, share, sockets, within);
    } catch (error) {
      // Late or gone. When it is late, it takes the configuration as soon as it can.
      this.#options.log.warn(
        { worker: worker.number, error: messageOf(error) },
        'worker has not taken the configuration yet',
      );
    }
  }

  /** Rejects with INTERNAL when there is no answer within so many ms, or when it is refused: then it is ended. */
  async #give(worker: Worker, share: ConfigMessage, sockets: SocketsByKey, within: number): Promise<void> {
    const answer = await worker.configure(share, sockets, within);
    if (answer.type === 'applied' || this.#draining) return;
    worker.kill();
    throw new VaneError('INTERNAL', `worker ${worker.number} refuses what another has taken, and is ended`);
  }

  #commit(message: ConfigMessage): void {
    this.#config = message;
    const names = new Set(message.backends.map(({ name }) => name));
    this.#configured = names;
    for (const name of this.#sets.backends) if (!names.has(name)) this.#forget(name);
    for (const set of message.sets) {
      this.#forget(set.backend);
      this.#setWhole(set);
    }
  }

  #forget(backend: string): void {
    this.#sets.forget(backend);
    this.#votes.forget(backend);
  }

  #setWhole(set: ServerSet): void {
    this.#sets.put(set);
    for (const idle of this.#votes.servers(set, this.#crew.all)) this.#say({ type: 'idle', ...idle });
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.#setServers(message);
  }

  #setServers(message: ServersMessage): void {
    const { size } = this.#options;
    if (message.type === 'servers') {
      const { set } = message;
      if (!this.#configured.has(set.backend)) return;
      this.#tell({ type: 'servers', set: shareOfSet(set, size) });
      this.#setWhole(set);
      return;
    }
    const { change } = message;
    if (!this.#configured.has(change.backend)) return;
    if (!this.#sets.change(change)) {
      this.#say({ type: 'missed', backend: change.backend });
      return;
    }
    this.#tell({ type: 'change', change: shareOfSet(change, size) });
    for (const idle of this.#votes.change(change, this.#crew.all)) this.#say({ type: 'idle', ...idle });
  }

  #tell(message: ToPlane): void {
    for (const worker of this.#crew.all) worker.tell(message);
  }

  async #started(worker: Worker): Promise<void> {
    worker.set(this.#settings);
    if (this.#tickets) worker.tell(this.#tickets);
    if (!this.#config) return worker.collect(START_WITHIN_MS);
    const config = { ...this.#config, sets: this.#sets.all() };
    const share = shareOfConfig(config, this.#options.size);
    await this.#give(worker, share, this.#sockets.all, START_WITHIN_MS);
    if (config.backends.some(({ stickiness }) => stickiness?.table)) {
      this.#crew.all.find((other) => other !== worker)?.tell({ type: 'teach' });
    }
  }

  #ended(worker: Worker): void {
    this.#past = addPast(this.#past, worker.counters);
    this.#pastDropped += worker.accessDropped;
    for (const idle of this.#votes.leave(worker)) this.#say({ type: 'idle', ...idle });
  }

  #hear(worker: Worker, message: PlaneNews): void {
    if (message.type === 'stuck') this.#share(worker, message);
    else if (message.type === 'missed') this.#repeat(worker, message.backend);
    else if (message.type !== 'idle') this.#say(message);
    else if (this.#votes.idle(worker, message)) this.#say(message);
  }

  /** Passes on what one worker remembers of clients to the others, and to control for other nodes. */
  #share(from: Worker, message: Extract<PlaneNews, { type: 'stuck' }>): void {
    const { backend, entries } = message;
    this.#say(message);
    for (const worker of this.#crew.all) {
      if (worker !== from) worker.tell({ type: 'stick', backend, entries });
    }
  }

  /** Tells one worker all servers of a backend. */
  #repeat(worker: Worker, backend: string): void {
    const set = this.#sets.get(backend);
    if (set) worker.tell({ type: 'servers', set: shareOfSet(set, this.#options.size) });
  }

  #say(message: FromPlane): void {
    this.#line.plane.post(message);
  }

  async #tellCounters(id: number): Promise<void> {
    await this.#collect();
    this.#say({ type: 'counters', id, counters: this.#counters() });
  }

  /** Every worker has the same table, and does what is asked; one that is late is not waited for. */
  async #askTable({ id, backend, question }: Extract<ToPlane, { type: 'table' }>): Promise<void> {
    const asked = this.#crew.all.map((worker) => worker.askTable(backend, question).catch(() => undefined));
    this.#say({ type: 'table', id, answer: mergeAnswers(await Promise.all(asked), question.limit) });
  }

  /** Resolves to the workers that have not answered. */
  async #collect(): Promise<readonly Worker[]> {
    const silent: Worker[] = [];
    await Promise.all(this.#crew.all.map((worker) => worker.collect().catch(() => silent.push(worker))));
    return silent;
  }

  #counters(): PlaneCounters {
    const hasServer = (backend: string, id: string) => this.#sets.has(backend, id);
    this.#past = pruned(this.#past, configured(this.#config, hasServer));
    const merged = mergeCounters(
      this.#crew.all.map(({ counters }) => counters),
      this.#past,
    );
    this.#past = addPeaks(this.#past, merged);
    const limits = new Map(this.#config?.frontends.map(({ name, maxconn }) => [name, maxconn]));
    const frontends = merged.frontends.map((row) => ({ ...row, slim: limits.get(row.name) ?? row.slim }));
    return { ...merged, frontends };
  }

  #armCollect(): void {
    this.#cancelCollect = this.#options.clock.after(COLLECT_MS, () => {
      void this.#watch();
      this.#armCollect();
    });
  }

  async #watch(): Promise<void> {
    const workers = this.#crew.all;
    this.#silent.note(workers, new Set(await this.#collect()));
  }

  async #drain(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + withinMs;
    this.#draining = true;
    this.#crew.close();
    // A worker that is not up yet has sockets that it does not accept on. Were it the last to have them, clients would
    // be connected and then reset, where they should be refused.
    await this.#crew.settled(Math.min(withinMs, SETTLE_WITHIN_MS));
    this.#sockets.close();
    const left = Math.max(0, deadline - clock.now());
    const cancel = this.#crew.hurry(left);
    const cut = await Promise.all(this.#crew.all.map((worker) => worker.drain(left).catch(() => 0)));
    cancel();
    this.#say({ type: 'drained', cut: cut.reduce((sum, one) => sum + one, 0) });
  }
}
