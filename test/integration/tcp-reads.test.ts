import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { passOn } from '../../src/proxy/tcp/pass-on.ts';
import { SocketReader } from '../../src/proxy/tcp/socket-reader.ts';
import { eventually } from '../helpers/eventually.ts';
import { settle } from '../helpers/fake-clock.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { Heard, sendMuch, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

/** Starts to take what is read, as text. */
function taking(socket: Socket): { text: string; readonly reader: SocketReader } {
  const taken = { text: '', reader: SocketReader.of(socket) };
  taken.reader.sink = (bytes) => {
    taken.text += bytes.toString('latin1');
  };
  taken.reader.start();
  return taken;
}

describe('a reader', () => {
  test.each(['accepted', 'opened'] as const)(
    'takes bytes past the stream of a socket that was %s',
    async (how) => {
      const { ours, theirs } = await bench.pair();
      const [near, far] = how === 'accepted' ? [ours, theirs] : [theirs, ours];
      let events = 0;
      const taken = taking(near);
      near.on('data', () => {
        events++;
      });
      far.write('one');
      await eventually(() => expect(taken.text).toBe('one'));
      far.write(' two');
      await eventually(() => expect(taken.text).toBe('one two'));
      // Otherwise this Node keeps the parts of `onread` elsewhere, and all that it saves is lost.
      expect(events).toBe(0);
      expect(near.bytesRead).toBe(7);
    },
  );

  test('hands over first what the stream has read before, the end included', async () => {
    const { ours, theirs } = await bench.pair();
    ours.pause();
    theirs.end('early');
    await eventually(() => expect(ours.readableLength).toBe(5));
    const ended = once(ours, 'end');
    expect(taking(ours).text).toBe('early');
    await ended;
  });

  test('leaves bytes that nobody takes to the stream, and they stay what they are', async () => {
    const { ours, theirs } = await bench.pair();
    const chunks: Buffer[] = [];
    const { reader } = taking(ours);
    reader.sink = undefined;
    ours.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const text of ['first', 'other']) {
      theirs.write(text);
      await eventually(() => expect(chunks.at(-1)?.toString()).toBe(text));
    }
    expect(Buffer.concat(chunks).toString()).toBe('firstother');
  });

  test('that holds hands nothing over but notices the end; what came is not lost', async () => {
    const { ours, theirs } = await bench.pair();
    const taken = taking(ours);
    taken.reader.hold();
    theirs.write('held ');
    await eventually(() => expect(ours.readableLength).toBe(5));
    theirs.write('back');
    await eventually(() => expect(ours.readableLength).toBe(9));
    expect(taken.text).toBe('');
    taken.reader.start();
    expect(taken.text).toBe('held back');
    theirs.write(', and on');
    await eventually(() => expect(taken.text).toBe('held back, and on'));
    taken.reader.hold();
    const ended = once(ours, 'end');
    theirs.end();
    await ended;
  });

  test('that holds notices a reset', async () => {
    const { ours, theirs } = await bench.pair();
    const { reader } = taking(ours);
    reader.hold();
    const broken = once(ours, 'error');
    theirs.resetAndDestroy();
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  test('of a paused socket reads nothing', async () => {
    const { ours, theirs } = await bench.pair();
    const taken = taking(ours);
    ours.pause();
    theirs.write('later');
    await settle();
    expect([taken.text, ours.bytesRead]).toEqual(['', 0]);
    ours.resume();
    await eventually(() => expect(taken.text).toBe('later'));
  });

  test('takes what TLS has deciphered', async () => {
    const server = createServer(selfSigned());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'secureConnection');
    const { port } = server.address() as AddressInfo;
    const theirs = bench.keep(connect({ port, host: '127.0.0.1', rejectUnauthorized: false }));
    const [ours]: Socket[] = await accepted;
    if (!ours) throw new Error('nobody came');
    bench.keep(ours);
    const taken = taking(ours);
    theirs.write('secret');
    await eventually(() => expect(taken.text).toBe('secret'));
    taken.reader.hold();
    theirs.write(' and more');
    await eventually(() => expect(ours.readableLength).toBe(9));
    taken.reader.start();
    await eventually(() => expect(taken.text).toBe('secret and more'));
    theirs.destroy();
    server.close();
  });

  test('is the same for whoever asks', async () => {
    const { ours } = await bench.pair();
    expect(SocketReader.of(ours)).toBe(SocketReader.of(ours));
  });
});

describe('bytes passed on', () => {
  test.each([5, 20_000])('stand between the text that goes with them: %i', async (length) => {
    const { ours, theirs } = await bench.pair();
    const heard = new Heard(theirs);
    const bytes = Buffer.alloc(length, 'x');
    passOn(ours, bytes, '<', '>');
    passOn(ours, bytes);
    ours.end();
    await eventually(() => expect(heard.ended).toBe(true));
    const sent = createHash('sha256').update(`<${bytes}>${bytes}`).digest('hex');
    expect(heard.digest).toBe(sent);
  });

  test('stay what they are until a slow taker has them, while more is read', async () => {
    const [source, target] = await Promise.all([bench.pair(), bench.pair()]);
    target.theirs.pause();
    const reader = SocketReader.of(source.ours);
    // No heed is paid to whether the taker is full: many buffers are on their way at once.
    reader.sink = (bytes) => void passOn(target.ours, bytes);
    reader.start();
    const digest = await sendMuch(source.theirs, 16 * 1_048_576);
    const ended = once(source.ours, 'end');
    source.theirs.end();
    await ended;
    expect(target.ours.writableLength).toBeGreaterThan(1_048_576);
    target.ours.end();
    const heard = new Heard(target.theirs);
    target.theirs.resume();
    await eventually(() => expect(heard.ended).toBe(true), 20_000);
    expect(heard.digest).toBe(digest);
  });

  test('of many sockets do not mix', async () => {
    const pairs = await Promise.all(
      Array.from({ length: 8 }, () => Promise.all([bench.pair(), bench.pair()])),
    );
    const digests = pairs.map(async ([source, target]) => {
      const heard = new Heard(target.theirs);
      const reader = SocketReader.of(source.ours);
      reader.sink = (bytes) => {
        if (!passOn(target.ours, bytes)) source.ours.pause();
      };
      target.ours.on('drain', () => source.ours.resume());
      source.ours.on('end', () => target.ours.end());
      reader.start();
      const digest = await sendMuch(source.theirs, 4_000_000);
      source.theirs.end();
      await eventually(() => expect(heard).toMatchObject({ bytes: 4_000_000, ended: true }), 20_000);
      expect(heard.digest).toBe(digest);
    });
    await Promise.all(digests);
  });
});
