import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import type { Attempt, AttemptOutcome, Exchange } from '../../../src/proxy/lanes/lane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { askH2, openH2 } from '../../helpers/h2-client.ts';
import type { OriginConnection, RawClient } from '../../helpers/raw-http.ts';
import { H2 } from './h2-rig.ts';
import { describeLanes, type LaneUnderTest, type Rig, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const HEAD = 'HEAD / HTTP/1.1\r\nHost: w\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
const LOST = new VaneError('HEDGED', 'another server answered first');

interface Divided<C> extends Omit<Rig, 'client'> {
  readonly c: C;
  /** The server's ends of the two, in the order in which they were made. */
  readonly both: readonly [OriginConnection, OriginConnection];
  readonly outcomes: readonly Promise<AttemptOutcome>[];
}

/**
 * A request that is with two servers: two connections to one, which answers what the test says.
 * @param ask has a client ask for something
 * @param first timeouts of the first attempt
 */
async function divide<C>(
  kind: LaneUnderTest,
  ask: (rig: Rig) => C | Promise<C>,
  first: Partial<Attempt['timeout']> = {},
): Promise<Divided<C>> {
  const rig = await startRig(kind);
  const { origin, host } = rig;
  origin.onRequest = () => {};
  const outcomes: Promise<AttemptOutcome>[] = [];
  host.onAnswered = (answered) => {
    for (const attempt of host.attempts) if (attempt !== answered) attempt.cancel?.(LOST);
  };
  let exchange: Exchange | undefined;
  host.onExchange = (taken) => {
    exchange = taken;
    const usual = host.attemptTimeout;
    host.attemptTimeout = { ...usual, ...first };
    outcomes.push(host.forward(taken));
    host.attemptTimeout = usual;
  };
  const c = await ask(rig);
  await eventually(() => expect(origin.requests).toHaveLength(1));
  if (exchange) outcomes.push(host.forward(exchange));
  await eventually(() => expect(origin.requests).toHaveLength(2));
  const [one, other] = origin.connections;
  if (!one || !other) throw new Error('not two connections');
  return { ...rig, c, both: [one, other], outcomes };
}

const asks =
  (text: string) =>
  async (rig: Rig): Promise<RawClient> => {
    const client = await rig.client();
    client.send(text);
    return client;
  };

describeLanes('two attempts at one request', (kind) => {
  test.each([0, 1] as const)(
    'attempt %d answers: the client gets that, and the other is broken off',
    async (winner) => {
      for (const text of [GET, HEAD]) {
        const { c, both, outcomes, server } = await divide(kind, asks(text));
        both[winner].send(text === GET ? OK : OK.slice(0, -2));
        expect((await c.answer(text.slice(0, text.indexOf(' ')))).line).toBe('HTTP/1.1 200 OK');
        const [won, lost] = await Promise.all([outcomes[winner], outcomes[1 - winner]]);
        expect(won).toMatchObject({ error: undefined, status: 200, responseStarted: true });
        expect(lost).toMatchObject({
          error: LOST,
          status: undefined,
          responseStarted: false,
          replayable: true,
        });
        await eventually(() => expect(both[1 - winner]?.socket.closed).toBe(true));
        await eventually(() =>
          expect(server.counters()).toMatchObject({ idleConnections: 1, usedConnections: 0 }),
        );
        expect(c.received).toBe('');
      }
    },
  );

  test('the connection of the client goes on behind it', async () => {
    const { c, both, origin, host } = await divide(kind, asks(GET));
    both[1].send(OK);
    expect((await c.answer()).body).toBe('ok');
    host.onExchange = (exchange) => void host.serve(exchange);
    origin.answers(OK);
    for (let i = 0; i < 3; i++) {
      c.send(GET);
      expect((await c.answer()).body).toBe('ok');
    }
  });

  test.each([0, 1] as const)('attempt %d fails: nothing is said until the other answers', async (failing) => {
    const { c, both, outcomes } = await divide(kind, asks(GET));
    both[failing].socket.resetAndDestroy();
    expect(await outcomes[failing]).toMatchObject({ error: { code: 'UPSTREAM_CLOSED' } });
    expect(c.received).toBe('');
    both[1 - failing]?.send(OK);
    expect((await c.answer()).body).toBe('ok');
    expect(await outcomes[1 - failing]).toMatchObject({ error: undefined });
  });

  test('each has its own time, and where that is over for one the other goes on', async () => {
    const { c, both, outcomes } = await divide(kind, asks(GET), { server: 200 });
    expect(await outcomes[0]).toMatchObject({ error: { code: 'UPSTREAM_TIMEOUT' } });
    both[1].send(OK);
    expect((await c.answer()).body).toBe('ok');
  });

  test('interim answers of neither reach the client', async () => {
    const { c, both } = await divide(kind, asks(GET));
    both[0].send(HINTS);
    both[1].send(`${HINTS}${OK}`);
    expect((await c.answer()).line).toBe('HTTP/1.1 200 OK');
    expect(c.received).toBe('');
  });

  test('a client that leaves ends both, the first one last', async () => {
    const { c, both, host } = await divide(kind, asks(GET));
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toHaveLength(2));
    expect(host.outcomes).toMatchObject(Array(2).fill({ error: { code: 'CLIENT_ABORTED' } }));
    for (const { socket } of both) await eventually(() => expect(socket.closed).toBe(true));
    expect(host.aborts).toHaveLength(1);
  });

  test('the lane is taken down: both end', async () => {
    const { lane, host, both } = await divide(kind, asks(GET));
    lane.destroy(new VaneError('STOPPING', 'stop'));
    await eventually(() =>
      expect(host.outcomes).toMatchObject(Array(2).fill({ error: { code: 'STOPPING' } })),
    );
    for (const { socket } of both) await eventually(() => expect(socket.closed).toBe(true));
  });
});

test.each([0, 1] as const)(
  'attempt %d of two answers a stream of HTTP/2, and the other is broken off',
  async (winner) => {
    const { c, both, outcomes } = await divide(H2, (rig) => {
      const session = openH2(rig.port);
      return { session, answer: askH2(session, {}) };
    });
    both[1 - winner]?.send(HINTS);
    both[winner].send(`${HINTS}${OK}`);
    expect(await c.answer).toMatchObject({ status: 200, body: 'ok', interim: [] });
    expect(await outcomes[winner]).toMatchObject({ error: undefined });
    expect(await outcomes[1 - winner]).toMatchObject({ error: LOST });
    await eventually(() => expect(both[1 - winner]?.socket.closed).toBe(true));
    c.session.close();
  },
);
