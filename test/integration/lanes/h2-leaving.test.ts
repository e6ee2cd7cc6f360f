import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { askH2, openH2 } from '../../helpers/h2-client.ts';
import { H2 } from './h2-rig.ts';
import { startRig } from './lane-rig.ts';

test('a connection that its client resets between two requests has asked nothing wrong', async () => {
  const rig = await startRig(H2);
  const below = connectTcp(rig.port, '127.0.0.1');
  const socket = connectTls({ socket: below, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const session = openH2(rig.port, { createConnection: () => socket });
  expect(await askH2(session, {})).toMatchObject({ status: 200, code: 0 });
  const [given] = rig.sockets;
  if (!given) throw new Error('the lane has no connection');
  const gone = new Promise((resolve) => given.once('close', resolve));
  below.resetAndDestroy();
  await gone;
  // The session hears of it after its socket.
  await new Promise((resolve) => setImmediate(resolve));
  expect(rig.host.refusals).toEqual([]);
});
