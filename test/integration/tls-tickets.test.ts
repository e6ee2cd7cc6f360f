import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { TlsBind } from '../../src/config/runtime/binds.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { localChannel } from '../../src/proxy/plane/channel.ts';
import type { FromPlane, ToPlane } from '../../src/proxy/plane/messages.ts';
import { Plane } from '../../src/proxy/plane/plane.ts';
import { startVane } from '../helpers/drill-vane.ts';
import { eventually } from '../helpers/eventually.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { frontendConfig } from '../unit/proxy/fixtures.ts';

const { key, cert: chain } = selfSigned('a.example');

/** A data plane with one frontend that speaks TLS, as one of several workers is. */
function startPlane() {
  const { control, plane: end } = localChannel();
  const plane = new Plane({
    channel: end,
    clock: systemClock,
    random: () => 0,
    log: silentLog,
    access: () => {},
  });
  onTestFinished(() => plane.close());
  const said: FromPlane[] = [];
  control.onMessage((message) => said.push(message));
  let generation = 0;
  return {
    tell: (message: ToPlane) => control.post(message),
    /** Returns the port. */
    configure: async (minVersion: TlsBind['minVersion'] = 'TLSv1.2') => {
      const tls: TlsBind = {
        certificates: [{ file: 'a.pem', names: ['a.example'], chain, key }],
        minVersion,
        alpn: [],
      };
      const frontends = [frontendConfig({ bind: [{ host: '127.0.0.1', port: 0, tls }] })];
      generation++;
      const rest = { maxconn: 9, closeSpread: 0, backends: [], sets: [] };
      control.post({ type: 'config', generation, frontends, ...rest });
      return await eventually(() => {
        const applied = said.find((one) => one.type === 'applied' && one.generation === generation);
        if (applied?.type !== 'applied') throw new Error('not applied yet');
        return applied.listening[0]?.port ?? 0;
      });
    },
  };
}

/** Connects by name; resolves to whether the session was resumed, and to one for the next time. */
async function visit(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) {
  const socket: TLSSocket = connect({
    ...{ port, host: '127.0.0.1', servername: 'a.example', rejectUnauthorized: false, maxVersion },
    ...(session ? { session } : {}),
  });
  const ticket = once(socket, 'session').then(([one]: Buffer[]) => one);
  await once(socket, 'secureConnect');
  const resumed = socket.isSessionReused();
  const next = resumed ? undefined : await ticket;
  socket.destroy();
  return { resumed, session: next };
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'sessions of %s that began at one plane go on at another, also over a reload that asks more of clients',
  async (version) => {
    const [one, other] = [startPlane(), startPlane()];
    const key = new Uint8Array(48).fill(7);
    for (const { tell } of [one, other]) tell({ type: 'tickets', key });
    const { session } = await visit(await one.configure(), version);
    const port = await other.configure();
    expect(await visit(port, version, session)).toMatchObject({ resumed: true });
    if (version === 'TLSv1.3') await other.configure('TLSv1.3');
    else await other.configure();
    expect(await visit(port, version, session)).toMatchObject({ resumed: true });
    other.tell({ type: 'tickets', key: new Uint8Array(48).fill(8) });
    await eventually(async () =>
      expect(await visit(port, version, session)).toMatchObject({ resumed: false }),
    );
  },
);

test('whichever worker a client comes back to, its session goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vane-tickets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'a.pem');
  writeFileSync(file, chain + key);
  await using vane = await startVane(
    ({ frontend, stats }) => `
global: { workers: 2, stats: { bind: "${stats}" } }
registry: off
frontends: { www: { bind: "${frontend} ssl crt ${file}", default_backend: web } }
backends: { web: { servers: ["127.0.0.1:1"] } }
`,
  );
  const port = Number(vane.places.frontend.split(':')[1]);
  const { session } = await visit(port, 'TLSv1.3');
  const visits = await Promise.all(Array.from({ length: 20 }, () => visit(port, 'TLSv1.3', session)));
  expect(visits.filter(({ resumed }) => !resumed)).toEqual([]);
});
