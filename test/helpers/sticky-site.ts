import { expect, onTestFinished } from 'vitest';
import { type AppUnderTest, startApp } from './app.ts';
import { eventually } from './eventually.ts';
import { startWeb, type Web } from './web.ts';

/** Instances of a service `web`, each of which answers its name and what cookies it was sent, and Vane before them. */
export interface StickySite {
  readonly app: AppUnderTest;
  /** Starts an instance, or starts it anew, and registers it. */
  join(id: string, handler?: Parameters<typeof startWeb>[0]): Promise<Web>;
  leave(id: string): Promise<void>;
  /** Waits until so many servers take part, which take turns. */
  servers(count: number): Promise<void>;
  ask(path?: string, headers?: Record<string, string>, init?: RequestInit): Promise<Asked>;
}

export interface Asked {
  readonly status: number;
  readonly body: string;
  /** All of Set-Cookie. */
  readonly cookies: readonly string[];
  /** What a client would send with its next request. */
  readonly jar: string;
  readonly headers: Headers;
}

/**
 * @param backend keys of the backend besides its servers
 * @param lane `direct` or `compat`
 */
export async function startStickySite(backend: string, lane: string, domain = ''): Promise<StickySite> {
  const app = await startApp(stickyConfig(backend, lane, domain));
  onTestFinished(() => app[Symbol.asyncDispose]());
  const webs = new Map<string, Web>();
  onTestFinished(async () => {
    for (const web of webs.values()) await web[Symbol.asyncDispose]();
  });
  const site: StickySite = {
    app,
    async join(id, handler) {
      const web = await startWeb(
        handler ??
          ((request, response) => {
            response.end(`${id}|${request.headers.cookie ?? ''}`);
          }),
      );
      webs.set(`${id} ${web.port}`, web);
      await app.register({ ID: id, Name: 'web', Address: '127.0.0.1', Port: web.port });
      return web;
    },
    leave: (id) => app.deregister(id),
    servers: (count) =>
      eventually(async () => {
        const seen = new Set<string>();
        for (let i = 0; i < 2 * count; i++) {
          const { status, body } = await site.ask('/ready');
          expect(status).toBe(200);
          seen.add(body);
        }
        expect(seen.size).toBe(count);
      }),
    async ask(path = '/', headers = {}, init = {}) {
      const answer = await fetch(`${app.frontend('www')}${path}`, { ...init, headers });
      const cookies = answer.headers.getSetCookie();
      const jar = cookies.map((line) => line.split(';')[0] ?? '').join('; ');
      return { status: answer.status, body: await answer.text(), cookies, jar, headers: answer.headers };
    },
  };
  return site;
}

export function stickyConfig(backend: string, lane: string, domain = ''): string {
  return `
frontends:
  www: { bind: "127.0.0.1:0", default_backend: web, option: [httplog, "http-lane ${lane}"] }
backends:
  web:
${backend
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
    servers:
      - { domain: web.service.consul${domain} }
`;
}
