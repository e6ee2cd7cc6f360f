import fc from 'fast-check';
import { expect, test } from 'vitest';
import { goingAway, WebSocketFrames } from '../../../../src/proxy/tcp/web-socket-frames.ts';

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly payload: number;
}

function encode({ opcode, fin, masked, payload }: Frame): Buffer {
  const mask = masked ? 0x80 : 0;
  const first = (fin ? 0x80 : 0) | opcode;
  const head =
    payload < 126
      ? Buffer.from([first, mask | payload])
      : payload < 65_536
        ? Buffer.from([first, mask | 126, payload >> 8, payload & 0xff])
        : Buffer.from([
            first,
            mask | 127,
            0,
            0,
            0,
            0,
            0,
            payload >> 16,
            (payload >> 8) & 0xff,
            payload & 0xff,
          ]);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 0x88), Buffer.alloc(payload, 0x88)]);
}

const frame: fc.Arbitrary<Frame> = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  fin: fc.boolean(),
  masked: fc.boolean(),
  payload: fc.oneof(fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000), fc.nat(300)),
});

test('is between two frames exactly where one ends, however the bytes come', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(70_000)), (frames, cuts) => {
      const whole = Buffer.concat(frames.map(encode));
      const ends = new Set([0]);
      for (const one of frames) ends.add(Math.max(...ends) + encode(one).length);
      const places = [...new Set([...ends, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length])];
      const reader = new WebSocketFrames();
      let at = 0;
      for (const place of places.sort((a, b) => a - b)) {
        expect(reader.take(whole.subarray(at, place))).toBe(place - at);
        at = place;
        expect(reader.between).toBe(ends.has(place));
      }
      expect(reader.closed).toBe(false);
    }),
  );
});

test('takes no more than the frame that has begun when it is told to', () => {
  fc.assert(
    fc.property(frame, frame, fc.nat(70_000), (first, second, cut) => {
      const [a, b] = [encode(first), encode(second)];
      const begun = 1 + (cut % (a.length - 1));
      const reader = new WebSocketFrames();
      reader.take(a.subarray(0, begun));
      const rest = Buffer.concat([a.subarray(begun), b]);
      expect(reader.take(rest, true)).toBe(a.length - begun);
      expect(reader.between).toBe(true);
    }),
  );
});

test('knows that a close frame was sent', () => {
  const reader = new WebSocketFrames();
  reader.take(Buffer.from([0x81, 1, 0x88]));
  expect(reader.closed).toBe(false);
  reader.take(goingAway('client'));
  expect(reader).toMatchObject({ closed: true, between: true });
});

test('a close frame says 1001, masked toward a server only', () => {
  expect([...goingAway('client')]).toEqual([0x88, 2, 0x03, 0xe9]);
  const [first, second, a = 0, b = 0, , , c = 0, d = 0, ...more] = goingAway('server');
  expect([first, second, c ^ a, d ^ b, more]).toEqual([0x88, 0x82, 0x03, 0xe9, []]);
});
