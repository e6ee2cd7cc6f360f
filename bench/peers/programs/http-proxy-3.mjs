// node http-proxy-3.mjs PORT SERVER: http-proxy-3 with connections to the origin kept alive.
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, server] = process.argv.slice(2);
const proxy = createProxyServer({
  target: `http://${server}`,
  agent: new Agent({ keepAlive: true }),
  xfwd: true,
});
proxy.on('error', (error, _request, response) => {
  if (response && 'headersSent' in response && !response.headersSent) response.writeHead(502).end();
  else response?.destroy(error);
});
// Upgrades take no connection out of the agent.
const upgrades = createProxyServer({ target: `http://${server}`, ws: true, xfwd: true });
upgrades.on('error', (_error, _request, socket) => socket?.destroy());

createServer({ keepAliveTimeout: 60_000 }, (request, response) => proxy.web(request, response))
  .on('upgrade', (request, socket, head) => upgrades.ws(request, socket, head))
  .listen(Number(port), '127.0.0.1');
