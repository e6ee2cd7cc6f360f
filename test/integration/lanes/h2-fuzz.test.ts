import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { askH2, FrameClient, literal, openH2 } from '../../helpers/h2-client.ts';
import { GET, H2 } from './h2-rig.ts';
import { startRig } from './lane-rig.ts';

const frame = fc.record({
  type: fc.integer({ min: 0, max: 11 }),
  flags: fc.constantFrom(0, 1, 4, 5, 8, 32, 255),
  stream: fc.constantFrom(0, 1, 3, 5, 2),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      literal(GET),
      literal([':method', 'POST', ...GET.slice(2)]),
      Buffer.alloc(4),
      Buffer.alloc(8),
    ),
  ),
});

test('whatever frames come, in whatever order, others are served and every exchange ends', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 500, httpRequest: 500, httpKeepAlive: 500 };
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 12 }), async (frames) => {
      const client = await FrameClient.open(rig.port);
      for (const { type, flags, stream, payload } of frames) client.send(type, flags, stream, payload);
      await new Promise((resolve) => setImmediate(resolve));
      client.end();
      const session = openH2(rig.port);
      expect(await askH2(session, {})).toMatchObject({ status: 200, body: 'ok', code: 0 });
      session.close();
    }),
    { numRuns: 150 },
  );
  await eventually(() => {
    expect(rig.host.outcomes).toHaveLength(rig.host.exchanges.length);
    expect(rig.sockets.filter(({ destroyed }) => !destroyed)).toEqual([]);
  });
});
