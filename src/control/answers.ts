import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { FromPlane } from '../proxy/plane/messages.ts';

type Answer = Extract<
  FromPlane,
  { readonly type: 'applied' | 'rejected' | 'counters' | 'table' | 'drained' }
>;

/** What has been asked of a data plane and not been answered yet. */
export class Answers {
  readonly #clock: Clock;
  readonly #whose: string;
  readonly #waiting = new Map<string, { resolve(answer: Answer): void; reject(why: VaneError): void }>();

  /** @param whose answers they are, for messages */
  constructor(clock: Clock, whose: string) {
    this.#clock = clock;
    this.#whose = whose;
  }

  /**
   * The answer to one question; rejects with INTERNAL when it has not come within so many ms.
   * @param topic `config GENERATION`, `counters ID`, `table ID` or `drained`
   */
  wait(topic: string, within: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const done = () => {
        cancel();
        this.#waiting.delete(topic);
      };
      const cancel = this.#clock.after(within, () => {
        const late = `${this.#whose} did not answer within ${within} ms`;
        this.#waiting.get(topic)?.reject(new VaneError('INTERNAL', late));
      });
      this.#waiting.set(topic, {
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (why) => {
          done();
          reject(why);
        },
      });
    });
  }

  /** Takes an answer; one that nobody waits for any more is ignored. */
  take(answer: Answer): void {
    this.#waiting.get(topicOf(answer))?.resolve(answer);
  }

  /** No answer will come any more. */
  fail(why: VaneError): void {
    for (const { reject } of [...this.#waiting.values()]) reject(why);
  }
}

function topicOf(answer: Answer): string {
  switch (answer.type) {
    case 'applied':
    case 'rejected':
      return `config ${answer.generation}`;
    case 'counters':
      return `counters ${answer.id}`;
    case 'table':
      return `table ${answer.id}`;
    case 'drained':
      return answer.type;
  }
}
