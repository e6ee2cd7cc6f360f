import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idOf } from './drill-instances.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';

export type Fault = 'errors' | 'reset' | 'slow' | 'busy' | 'flap' | 'half' | 'well';

/** Processes of drill-faulty-instance.mjs, each of which can be told to fail. */
export class FaultyInstances implements AsyncDisposable {
  readonly addresses: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  readonly #programs: Program[] = [];
  readonly #orders: number[] = [];

  private constructor(addresses: readonly string[]) {
    this.addresses = addresses;
  }

  static async start(count: number): Promise<FaultyInstances> {
    const instances = new FaultyInstances(await freeAddresses(count));
    await Promise.all(instances.addresses.map((_, i) => instances.restart(i)));
    return instances;
  }

  /** Starts one that is not there, at its old address. */
  async restart(i: number): Promise<void> {
    const port = this.addresses[i]?.split(':')[1] ?? '';
    const args = ['test/helpers/drill-faulty-instance.mjs', this.#record, `web-${i}`, port];
    const program = startProgram(process.execPath, args);
    this.#programs[i] = program;
    const [, orders] = await program.says(/takes orders at (\d+)/);
    this.#orders[i] = Number(orders);
  }

  async tell(i: number, fault: Fault): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.#orders[i]}/${fault}`, {
      headers: { connection: 'close' },
    });
    if ((await answer.text()) !== fault) throw new Error(`instance ${i} does not obey`);
  }

  signal(i: number, name: NodeJS.Signals): void {
    this.#programs[i]?.signal(name);
  }

  async ended(i: number): Promise<void> {
    await this.#programs[i]?.ended;
  }

  /** How often each POST was executed, by its id; also by those that are dead. */
  executions(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const line of readFileSync(this.#record, 'utf8').split('\n')) {
      const [, , , , target = ''] = line.split(' ');
      if (target) counts.set(idOf(target), (counts.get(idOf(target)) ?? 0) + 1);
    }
    return counts;
  }

  get #record(): string {
    return join(this.#folder, 'record');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
