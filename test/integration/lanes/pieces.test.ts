import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const REQUESTS = [
  'GET /1 HTTP/1.1\r\nHost: w\r\n\r\n',
  'POST /2 HTTP/1.1\r\nHost: w\r\nContent-Length: 11\r\n\r\nGET / HTTP/',
  '\r\nPOST /3 HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n\r\r\n0\r\nA: b\r\n\r\n',
  'DELETE /4 HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n',
  'GET /5 HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n',
].join('');
const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none',
  'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
];

/** Ends of pieces, so that every way of cutting a text is as likely. */
const cuts = (text: string) =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 12 })
    .map((ends) => [...ends].sort((a, b) => a - b))
    .map((ends) => [0, ...ends].map((start, i) => text.slice(start, ends[i] ?? text.length)));

describeLanes('bytes in pieces', (kind) => {
  test('however requests and answers are cut, the same is asked and the same is answered', async () => {
    await fc.assert(
      fc.asyncProperty(cuts(REQUESTS), fc.array(fc.nat(), { maxLength: 4 }), async (pieces, answerCuts) => {
        const { client, origin, host, close } = await startRig(kind);
        try {
          let next = 0;
          origin.onRequest = async ({ send }) => {
            let text = ANSWERS[next++] ?? '';
            for (const cut of answerCuts) {
              const at = cut % (text.length + 1);
              if (at > 0) send(text.slice(0, at));
              text = text.slice(at);
              await turn();
            }
            if (text !== '') send(text);
          };
          const c = await client();
          for (const piece of pieces) {
            c.send(piece);
            await turn();
          }
          const lines: string[] = [];
          const bodies: string[] = [];
          for (let i = 0; i < 6; i++) {
            const { line, body } = await c.answer();
            lines.push(line);
            bodies.push(body);
          }
          expect(lines.map((line) => line.split(' ')[1])).toEqual(['200', '103', '200', '204', '304', '404']);
          expect(bodies).toEqual(['one', '', 'two', '', '', '']);
          await eventually(() => expect(c.closed || c.ended).toBe(true));
          expect(c.received).toBe('');
          expect(origin.requests.map(({ line, body }) => [line.split(' ')[1], body])).toEqual([
            ['/1', ''],
            ['/2', 'GET / HTTP/'],
            ['/3', 'hello\r'],
            ['/4', ''],
            ['/5', ''],
          ]);
          expect(host.outcomes.map(({ error }) => error)).toEqual(Array(5).fill(undefined));
          expect(host.refusals).toEqual([]);
        } finally {
          await close();
        }
      }),
      { numRuns: 40 },
    );
  });

  test('however a connection ends, everything that was begun ends too', async () => {
    const ends = fc.constantFrom('end', 'reset', 'server-end', 'server-reset');
    await fc.assert(
      fc.asyncProperty(cuts(REQUESTS), fc.nat(), fc.nat(), ends, async (pieces, stop, answerEnd, end) => {
        const { client, origin, host, sockets, server, close } = await startRig(kind);
        try {
          // Node loses the failure of a write that carries nothing but TLS's own records, and of a reset it then tells as of
          // an end: the answer to such a client waits for ever, and it is the timeout that ends the connection.
          host.timeouts = { client: 1_000, httpRequest: 1_000, httpKeepAlive: 1_000 };
          let next = 0;
          const breakServer = () => {
            for (const { socket } of origin.connections) {
              if (end === 'server-end') socket.end();
              if (end === 'server-reset') socket.resetAndDestroy();
            }
          };
          origin.onRequest = ({ send }) => {
            const text = ANSWERS[next++] ?? '';
            const last = next > answerEnd % 5;
            send(last ? text.slice(0, answerEnd % text.length) : text);
            if (last) breakServer();
          };
          const c = await client();
          for (const piece of pieces.slice(0, (stop % pieces.length) + 1)) {
            c.send(piece);
            await turn();
          }
          if (end === 'end') c.socket.end();
          else if (end === 'reset') c.socket.resetAndDestroy();
          else breakServer();
          // A client that has ended may wait for the server, and one that has not for another request.
          await turn();
          c.socket.destroy();
          await eventually(() => {
            // The lane may still be opening some.
            for (const { socket } of origin.connections) socket.destroy();
            expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
          });
          await eventually(() => expect(host.outcomes).toHaveLength(host.exchanges.length));
          await eventually(() => expect(server.counters().usedConnections).toBe(0));
        } finally {
          await close();
        }
      }),
      { numRuns: 60 },
    );
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
