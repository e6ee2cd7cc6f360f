// node fastify-http-proxy.mjs PORT SERVER: @fastify/http-proxy with connections to the origin kept alive.
import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [port, server] = process.argv.slice(2);
const app = Fastify({ keepAliveTimeout: 60_000, bodyLimit: 100 * 2 ** 20 });
await app.register(proxy, {
  upstream: `http://${server}`,
  undici: { connections: 256, pipelining: 1 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      'x-forwarded-for': request.socket.remoteAddress,
    }),
  },
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
