import { afterEach, describe, expect, test } from 'vitest';
import { closeGently } from '../../src/proxy/tcp/linger.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

describe('a connection that is closed gently', () => {
  test('ends at once with a client that ends', async () => {
    const { ours: socket, theirs: client } = await bench.pair();
    const clock = new FakeClock();
    closeGently(socket, clock);
    client.resume().end('late');
    await eventually(() => expect(socket.destroyed).toBe(true));
    expect(clock.pending).toBe(0);
  });

  test('goes on as long as its client sends, however much, but not for ever', async () => {
    const { ours: socket, theirs: client } = await bench.pair();
    const clock = new FakeClock();
    closeGently(socket, clock);
    const piece = Buffer.alloc(1_000_000);
    for (let seconds = 1; seconds < 30; seconds++) {
      const before = socket.bytesRead;
      client.write(piece);
      await eventually(() => expect(socket.bytesRead).toBe(before + piece.length));
      clock.advance(1_000);
      expect(socket.destroyed).toBe(false);
    }
    client.write(piece);
    clock.advance(1_000);
    expect(socket.destroyed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('ends after a silence', async () => {
    const { ours: socket } = await bench.pair();
    const clock = new FakeClock();
    closeGently(socket, clock);
    clock.advance(1_999);
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    expect(socket.destroyed).toBe(true);
  });
});
