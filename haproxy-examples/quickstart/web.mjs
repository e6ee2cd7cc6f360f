// One instance of the service `web`: registers itself, answers with its name, and leaves when it is told to stop.
// Start as many as you like: node haproxy-examples/quickstart/web.mjs [NAME [ADDRESS:PORT]]
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const REGISTRY = `http://${process.env.VANE_REGISTRY_HTTP || '127.0.0.1:8500'}`;
const SLOW_MS = 5_000;

const name = process.argv[2] ?? `web-${process.pid}`;
const [host, wantedPort] = (process.argv[3] ?? '127.0.0.1:0').split(':');
const server = createServer(answer);
let stopping = false;

server.listen(Number(wantedPort), host, register);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop);
if (process.connected) {
  // The parent is gone; being told must not keep this process from ending by itself.
  process.once('disconnect', stop);
  process.channel.unref();
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://web');
  response.setHeader('content-type', 'text/plain');
  // One that stops keeps no connection open after the answers that are under way.
  response.once('close', () => stopping && server.closeIdleConnections());
  if (pathname === '/health') return response.end('ok\n');
  if (pathname === '/slow') {
    response.write(`${name} is thinking…\n`);
    await sleep(SLOW_MS);
  }
  response.end(`Hello from ${name}, process ${process.pid}.\n`);
}

/** Tells the registry where this instance is and how to see that it is well; waits for a registry that is not up. */
async function register() {
  const { port } = server.address();
  const service = {
    ID: name,
    Name: 'web',
    Address: host,
    Port: port,
    Check: {
      HTTP: `http://${host}:${port}/health`,
      Interval: '1s',
      Timeout: '500ms',
      DeregisterCriticalServiceAfter: '1m',
    },
  };
  while (!stopping) {
    try {
      await put('/v1/agent/service/register', service);
      return console.log(`${name} is process ${process.pid} at ${host}:${port}`);
    } catch (error) {
      if (error.cause?.code !== 'ECONNREFUSED') {
        console.error(`${name} cannot register at ${REGISTRY}: ${error.message}`);
        process.exitCode = 1;
        return stop();
      }
    }
    await sleep(500);
  }
}

async function stop() {
  if (stopping) return;
  stopping = true;
  try {
    await put(`/v1/agent/service/deregister/${encodeURIComponent(name)}`);
  } catch (error) {
    // The registry stops at the same time: then there is nothing left to leave.
    if (error.cause?.code !== 'ECONNREFUSED') console.error(`${name} cannot deregister: ${error.message}`);
  }
  server.close(() => process.exit());
}

async function put(path, body) {
  const response = await fetch(REGISTRY + path, {
    method: 'PUT',
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(2_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
}
