// node quiet-clients.ts PORT: opens sessions that log in and then keep quiet.
// A number on standard input opens so many more and is answered with how many are open; the end of input ends it.
import { createInterface } from 'node:readline';
import { WireClient } from './wire.ts';

const port = Number(process.argv[2]);
/** Opened at a time: not so many that the queue of the listener overflows. */
const AT_ONCE = 100;

const open = new Set<WireClient>();

async function openOne(): Promise<void> {
  const client = await WireClient.login(port).catch(() => undefined);
  if (!client) return;
  open.add(client);
  client.socket.once('close', () => open.delete(client));
}

for await (const line of createInterface({ input: process.stdin })) {
  for (let missing = Number(line); missing > 0; missing -= AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, missing) }, openOne));
  }
  console.log(open.size);
}
process.exit();
