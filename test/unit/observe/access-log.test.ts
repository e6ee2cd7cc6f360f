import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { AccessLog } from '../../../src/observe/access-log.ts';
import { haproxyLine } from '../../../src/observe/haproxy-log-format.ts';
import { LineOutput } from '../../../src/observe/line-output.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { httpEntry, tcpEntry } from './access-entries.ts';

/** A reader that takes what it is given, or nothing until it is told to. */
class Reader extends Writable {
  readonly writes: string[] = [];
  #stalled: boolean;
  #resume: (() => void) | undefined;

  constructor(stalled = false) {
    super({ decodeStrings: false });
    this.#stalled = stalled;
  }

  get text(): string {
    return this.writes.join('');
  }

  goOn(): void {
    this.#stalled = false;
    this.#resume?.();
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    const take = () => {
      this.writes.push(chunk);
      done();
    };
    if (this.#stalled) this.#resume = take;
    else take();
  }
}

function accessLogOn(stream: Writable, limit = 8 * 1024 * 1024) {
  const clock = new FakeClock();
  const output = new LineOutput({ stream, clock, limit });
  return { log: new AccessLog(output), output, clock };
}

describe('the access log', () => {
  test('writes each entry in the format it asks for, a line each, in order', async () => {
    const reader = new Reader();
    const { log, clock } = accessLogOn(reader);
    log.write(httpEntry());
    log.write(httpEntry({ format: 'json' }));
    log.write(tcpEntry());
    await log.flush(clock.now() + 1_000);
    const [first, second = '', third, rest] = reader.text.split('\n');
    expect(first).toBe(haproxyLine(httpEntry()));
    expect(JSON.parse(second)).toMatchObject({ type: 'access', status: 200 });
    expect(third).toBe(haproxyLine(tcpEntry()));
    expect(rest).toBe('');
  });

  test('hands over the lines of one turn together, without being asked', async () => {
    const reader = new Reader();
    const { log } = accessLogOn(reader);
    for (let i = 0; i < 10; i++) log.write(httpEntry());
    expect(reader.writes).toEqual([]);
    await settle();
    expect(reader.writes).toHaveLength(1);
    expect(reader.text.match(/\n/g)).toHaveLength(10);
    log.write(httpEntry());
    await settle();
    expect(reader.writes).toHaveLength(2);
  });

  test('does not let one turn grow without end', () => {
    const reader = new Reader();
    const { log } = accessLogOn(reader);
    for (let i = 0; i < 1_000; i++) log.write(httpEntry());
    expect(reader.writes.length).toBeGreaterThan(5);
  });

  test('drops and counts what a stalled reader cannot take, and goes on when it can', async () => {
    const reader = new Reader(true);
    const { log, output, clock } = accessLogOn(reader);
    for (let i = 0; i < 20_000; i++) log.write(httpEntry());
    expect(log.dropped).toBeGreaterThan(5_000);
    expect(output.pending).toBeLessThanOrEqual(1024 * 1024 + 32 * 1024);
    reader.goOn();
    await log.flush(clock.now() + 1_000);
    expect(reader.text.match(/\n/g)).toHaveLength(20_000 - log.dropped);
    expect(reader.text.endsWith('\n')).toBe(true);
    const before = log.dropped;
    log.write(httpEntry());
    await log.flush(clock.now() + 1_000);
    expect(log.dropped).toBe(before);
    expect(reader.text.match(/\n/g)).toHaveLength(20_001 - log.dropped);
  });

  test('counts the lines of a reader that is gone', async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const { log, clock } = accessLogOn(broken);
    for (let i = 0; i < 3; i++) log.write(httpEntry());
    await log.flush(clock.now() + 1_000);
    log.write(httpEntry());
    await log.flush(clock.now() + 1_000);
    expect(log.dropped).toBe(4);
  });

  test('a flush without anything to write is done at once', async () => {
    const { log, clock } = accessLogOn(new Reader(true));
    await log.flush(clock.now());
    expect(clock.pending).toBe(0);
  });

  test('a flush ends at its deadline when the reader stays stalled', async () => {
    const { log, clock } = accessLogOn(new Reader(true));
    log.write(httpEntry());
    let ended = false;
    const flushed = log.flush(clock.now() + 500).then(() => {
      ended = true;
    });
    await clock.advanceAsync(499);
    expect(ended).toBe(false);
    await clock.advanceAsync(1);
    await flushed;
    expect(clock.pending).toBe(0);
  });
});

describe('the output', () => {
  test('refuses what would exceed its limit and says so', async () => {
    const reader = new Reader(true);
    const { output } = accessLogOn(reader, 10);
    let lost = 0;
    const count = () => {
      lost++;
    };
    output.write('12345\n', count);
    output.write('12345\n', count);
    expect({ lost, pending: output.pending }).toEqual({ lost: 1, pending: 6 });
    reader.goOn();
    await settle();
    expect(output.pending).toBe(0);
    output.write('12345\n', count);
    await settle();
    expect(lost).toBe(1);
    expect(reader.text).toBe('12345\n12345\n');
  });
});
