import { PassThrough, Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { LineOutput } from '../../../src/observe/line-output.ts';
import { LineRelay } from '../../../src/observe/line-relay.ts';
import { eventually } from '../../helpers/eventually.ts';
import { settle } from '../../helpers/fake-clock.ts';

function setUp(stalled = false) {
  const writes: string[] = [];
  let resume = () => {};
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const take = () => {
        writes.push(chunk.toString('latin1'));
        done();
      };
      if (stalled) resume = take;
      else take();
    },
  });
  const output = new LineOutput({ stream, clock: systemClock, limit: 8 * 1024 * 1024 });
  const goOn = () => {
    stalled = false;
    resume();
  };
  return { writes, output, goOn, relay: new LineRelay(output, systemClock) };
}

test('lines of several processes arrive whole, each in its order, wherever their chunks were cut', async () => {
  const pieces = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 12 })), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(pieces, async (cuts) => {
      const { relay, writes } = setUp();
      const texts = ['a', 'b'].map((who) => Array.from({ length: 20 }, (_, i) => `${who}${i}\n`).join(''));
      const streams = texts.map(() => new PassThrough());
      for (const stream of streams) relay.take(stream);
      const sent = [0, 0];
      for (const [second, length] of cuts) {
        const i = second ? 1 : 0;
        const from = sent[i] ?? 0;
        streams[i]?.write(texts[i]?.slice(from, from + length) ?? '');
        sent[i] = from + length;
        await new Promise(setImmediate);
      }
      for (const [i, stream] of streams.entries()) stream.end(texts[i]?.slice(sent[i]));
      await relay.flush(systemClock.now() + 5_000);
      const lines = writes.join('').split('\n');
      expect(lines.filter((line) => line.startsWith('a')).join('\n')).toBe(texts[0]?.trim());
      expect(lines.filter((line) => line.startsWith('b')).join('\n')).toBe(texts[1]?.trim());
    }),
    { numRuns: 30 },
  );
});

test('the last line needs no line feed, and what is not text stays as it is', async () => {
  const { relay, writes } = setUp();
  const stream = new PassThrough();
  relay.take(stream);
  stream.write(Buffer.of(0xff, 0x0a, 0xc3));
  stream.end(Buffer.of(0xa4));
  await relay.flush(systemClock.now() + 5_000);
  expect(writes.join('')).toBe('\xff\n\xc3\xa4\n');
});

test('is not read while the output is slow, so that nothing is dropped here', async () => {
  const { relay, output, goOn, writes } = setUp(true);
  const line = Buffer.from(`${'x'.repeat(1023)}\n`);
  let read = 0;
  function* lines() {
    for (; read < 10_000; read++) yield line;
  }
  relay.take(Readable.from(lines()));
  await settle();
  await eventually(() => expect(output.pending).toBeGreaterThan(1024 * 1024));
  await settle();
  expect(read).toBeLessThan(1_100);
  goOn();
  await relay.flush(systemClock.now() + 10_000);
  expect(writes.join('').length).toBe(10_000 * 1024);
});

test('a flush ends at its deadline though a process goes on', async () => {
  const { relay } = setUp();
  relay.take(new PassThrough());
  await relay.flush(systemClock.now() + 20);
});
