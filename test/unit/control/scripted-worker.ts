import type { WorkerProcess } from '../../../src/control/worker-process.ts';
import type { BoundSocket } from '../../../src/proxy/plane/bound-socket.ts';
import type { PlaneCounters } from '../../../src/proxy/plane/counters.ts';
import type { FromPlane, ToPlane } from '../../../src/proxy/plane/messages.ts';
import type { FromWorker, ToWorker } from '../../../src/proxy/plane/worker-channel.ts';

type Told<T extends ToPlane['type']> = Extract<ToPlane, { type: T }>;

/** A worker process without a process: answers as it is told to, at once and in full unless a test says otherwise. */
export class ScriptedWorker implements WorkerProcess {
  readonly pid = 1;
  readonly sent: ToWorker[] = [];
  readonly sockets: BoundSocket[] = [];
  counters: PlaneCounters = { connections: 0, frontends: [], backends: [] };
  accessDropped = 0;
  /** Kinds of messages that it does not answer. */
  readonly mute = new Set<ToPlane['type']>();
  /** Refuses configurations with this problem. */
  refuses: string | undefined;
  alive = true;
  #hear: (message: FromWorker) => void = () => {};
  #ended: (why: string) => void = () => {};

  /** The messages to its plane of one type. */
  told<T extends ToPlane['type']>(type: T): readonly Told<T>[] {
    return this.sent.flatMap((one) =>
      one.type === 'plane' && one.message.type === type ? [one.message as Told<T>] : [],
    );
  }

  say(message: FromPlane): void {
    if (this.alive) this.#hear({ message, accessDropped: this.accessDropped });
  }

  die(why = 'signal SIGKILL'): void {
    if (!this.alive) return;
    this.alive = false;
    this.#ended(why);
  }

  post(message: ToWorker, socket?: BoundSocket): void {
    if (!this.alive) return;
    this.sent.push(message);
    if (socket) this.sockets.push(socket);
    if (message.type === 'plane') queueMicrotask(() => this.#obey(message.message));
    if (message.type === 'retire') {
      queueMicrotask(() => this.#obey({ type: 'drain', withinMs: message.withinMs }));
    }
  }

  onMessage(fn: (message: FromWorker) => void): void {
    this.#hear = fn;
  }

  onEnd(fn: (why: string) => void): void {
    this.#ended = fn;
  }

  leave(): void {
    this.die('exit code 0');
  }

  kill(): void {
    queueMicrotask(() => this.die());
  }

  #obey(message: ToPlane): void {
    if (this.mute.has(message.type)) return;
    if (message.type === 'config') this.answer(message);
    if (message.type === 'collect') {
      this.say({ type: 'counters', id: message.id, counters: this.counters });
    }
    if (message.type === 'drain') this.say({ type: 'drained', cut: 1 });
  }

  /** Takes a configuration, or refuses it. */
  answer({ generation, frontends }: Told<'config'>): void {
    const all = frontends.flatMap(({ name: frontend, bind: binds }) =>
      binds.map((bind) => ({ frontend, bind })),
    );
    const { refuses } = this;
    if (refuses === undefined) {
      this.say({ type: 'applied', generation, listening: all.map((one) => ({ ...one, port: 8080 })) });
    } else {
      const problems = all.map((one) => ({ ...one, message: refuses }));
      this.say({ type: 'rejected', generation, problems });
    }
  }
}
