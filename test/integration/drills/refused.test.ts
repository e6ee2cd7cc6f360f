import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:http';
import { expect, test } from 'vitest';
import { startApp } from '../../helpers/app.ts';
import { drillCount, figure, percentile } from '../../helpers/drill-figures.ts';
import { monotonic } from '../../helpers/drill-instances.ts';
import { freeAddresses } from '../../helpers/free-port.ts';

const REQUESTS = drillCount(300, 3_000);
const ELSEWHERE_MS = 5;

test('a request whose server refuses the connection goes to another one at once', async () => {
  const [refusing = '', ...good] = await freeAddresses(3);
  const instances = await Promise.all(good.map(serve));
  try {
    // Nothing is remembered of the server that refuses, so that requests go on beginning there.
    await using vane = await startApp(`
defaults: { option: [httplog] }
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web: { outlier: off, retry-budget: off, servers: ["${refusing}", "${good.join('", "')}"] }
`);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const took: number[] = [];
    try {
      for (let n = 0; n < REQUESTS; n++) {
        const since = monotonic();
        await get(`${vane.frontend('www')}/${n}`, agent);
        took.push(monotonic() - since);
      }
    } finally {
      agent.destroy();
    }
    expect(vane.access).toHaveLength(REQUESTS);
    const straight = took.filter((_, n) => vane.access[n]?.retries === 0);
    const moved = took.filter((_, n) => vane.access[n]?.retries === 1);
    expect(Math.min(straight.length, moved.length)).toBeGreaterThan(REQUESTS / 4);
    expect(vane.access.filter(({ termination }) => termination !== '--')).toEqual([]);
    expect(vane.access.every(({ redispatched, retries }) => redispatched === retries > 0)).toBe(true);
    const usual = percentile(straight, 50);
    figure('refused', 'requests that a server refused', moved.length);
    figure('refused', 'time that it cost them, median, ms', percentile(moved, 50) - usual, `${ELSEWHERE_MS}`);
    figure('refused', 'time that it cost them, p99, ms', percentile(moved, 99) - usual, `${ELSEWHERE_MS}`);
    figure('refused', 'requests failed', vane.access.length - straight.length - moved.length, '0');
  } finally {
    for (const instance of instances) {
      instance.closeAllConnections();
      instance.close();
    }
  }
});

async function serve(address: string): Promise<Server> {
  const [host, port] = address.split(':');
  const instance = createServer((_request, response) => response.end('ok'));
  instance.listen(Number(port), host);
  await once(instance, 'listening');
  return instance;
}

async function get(url: string, agent: Agent): Promise<void> {
  const asked = request(url, { agent });
  asked.end();
  const [answer] = await once(asked, 'response');
  expect(answer.statusCode).toBe(200);
  answer.resume();
  await once(answer, 'end');
}
