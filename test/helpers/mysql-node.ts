import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MysqlVipView } from '../../src/mysql/view.ts';
import { portOf } from './drill-vane.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { APP } from './mariadb.ts';
import { type Program, startProgram } from './program.ts';

interface Sections {
  /** Settings of the registry, such as `store: …`. */
  readonly registry: string;
  /** More sections. */
  readonly sections: string;
  /** Settings of the `mysql-vip`, a line each. */
  readonly vip: string;
}

/** One `vane run` of several with the same `mysql-vip`. */
export class MysqlNode {
  readonly name: string;
  readonly #stats: string;
  readonly #port: number;
  readonly #http: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'vane-mysql-'));
  readonly #file: string;
  #program: Program | undefined;

  private constructor(name: string, addresses: readonly string[], { registry, sections, vip }: Sections) {
    const [bind = '', stats = '', http = ''] = addresses;
    this.name = name;
    this.#stats = stats;
    this.#http = http;
    this.#port = portOf(bind);
    this.#file = join(this.#folder, 'vane.yaml');
    writeFileSync(
      this.#file,
      `
global: { node: ${name}, workers: 0, log: { level: info }, stats: { bind: "${stats}" }, hard-stop-after: 2s }
registry: { http: "${http}", dns: off, ${registry} }
${sections}
mysql-vip:
  main:
    bind: "${bind}"
    ${vip.trim().replaceAll('\n', '\n    ')}
`,
    );
  }

  /** Ready when it resolves. */
  static async start(name: string, sections: Sections): Promise<MysqlNode> {
    const node = new MysqlNode(name, await freeAddresses(3), sections);
    await node.start();
    return node;
  }

  /** Of its registry API. */
  get http(): string {
    return `http://${this.#http}`;
  }

  /** How an application connects. */
  get client() {
    return { host: '127.0.0.1', port: this.#port, ...APP, database: 'test' };
  }

  output(): string {
    return this.#program?.output() ?? '';
  }

  async start(): Promise<void> {
    this.#program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', this.#file]);
    await eventually(async () => {
      const ready = await fetch(`http://${this.#stats}/readyz`).catch(() => undefined);
      if (!ready?.ok) throw new Error(`${this.name} is not ready: ${this.output()}`);
    }, 60_000);
  }

  signal(name: NodeJS.Signals): void {
    this.#program?.signal(name);
  }

  /** In order, as a service manager does. */
  async stop(): Promise<void> {
    this.#program?.signal('SIGTERM');
    await this.#program?.ended;
  }

  async view(): Promise<Pick<MysqlVipView, 'phase' | 'target' | 'epoch' | 'lead' | 'alarms' | 'servers'>> {
    const answer = await fetch(`http://${this.#stats}/mysql-vip`, { signal: AbortSignal.timeout(5_000) });
    const [view] = (await answer.json()) as MysqlVipView[];
    if (!view) throw new Error('no vip');
    return view;
  }

  /** Why it was refused; undefined: it was not. */
  async order(order: object): Promise<string | undefined> {
    const answer = await fetch(`http://${this.#stats}/mysql-vip?vip=main`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ by: 'a test', ...order }),
    });
    return answer.ok ? undefined : await answer.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program?.signal('SIGCONT');
    await this.#program?.[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
