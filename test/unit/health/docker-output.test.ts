import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MultiplexedOutput } from '../../../src/health/docker-output.ts';
import { Tail } from '../../../src/health/output.ts';

function frame(stream: number, content: Buffer): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}

test('what a program writes is put together again, however it is cut on its way', () => {
  const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ unit: 'grapheme' })), { maxLength: 5 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (written, cuts) => {
      const sent = Buffer.concat(written.map(([stream, text]) => frame(stream, Buffer.from(text))));
      const tail = new Tail(1_000_000);
      const output = new MultiplexedOutput(tail);
      for (let at = 0, i = 0; at < sent.length; i++) {
        const end = at + (cuts[i % cuts.length] ?? 1);
        output.write(sent.subarray(at, end));
        at = end;
      }
      expect(tail.text()).toBe(written.map(([, text]) => text).join(''));
    }),
  );
});
