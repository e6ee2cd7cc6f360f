import type { Cancel } from '../../core/clock.ts';
import type { FromPlane, ToPlane } from './messages.ts';

/** One end of the line between control and a data plane. Messages arrive in order, never during `post`. */
export interface Channel<Out, In> {
  post(message: Out): void;
  onMessage(fn: (message: In) => void): Cancel;
  close(): void;
}

export type ControlEnd = Channel<ToPlane, FromPlane>;
export type PlaneEnd = Channel<FromPlane, ToPlane>;

/** Both ends within one process. Delivery waits for a microtask, so that neither side is ever re-entered. */
export function localChannel(): { control: ControlEnd; plane: PlaneEnd } {
  const toPlane = new Pipe<ToPlane>();
  const toControl = new Pipe<FromPlane>();
  const close = () => {
    toPlane.close();
    toControl.close();
  };
  return {
    control: { post: (m) => toPlane.send(m), onMessage: (fn) => toControl.receive(fn), close },
    plane: { post: (m) => toControl.send(m), onMessage: (fn) => toPlane.receive(fn), close },
  };
}

/** One direction: messages sent before anyone listens are kept for the first listener. */
class Pipe<T> {
  #waiting: T[] = [];
  #receiver: ((message: T) => void) | undefined;
  #scheduled = false;
  #closed = false;

  send(message: T): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#schedule();
  }

  receive(fn: (message: T) => void): Cancel {
    this.#receiver = fn;
    this.#schedule();
    return () => {
      if (this.#receiver === fn) this.#receiver = undefined;
    };
  }

  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#receiver = undefined;
  }

  #schedule(): void {
    if (this.#scheduled || !this.#receiver || this.#waiting.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#receiver) {
        const message = this.#waiting.shift();
        if (message === undefined) return;
        this.#receiver(message);
      }
    });
  }
}
