import { expect } from 'vitest';
import { type ApiAnswer, type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { accessWith } from '../../helpers/tokens.ts';

export const TOKENS = {
  operator: { policy: 'admin' },
  reader: { policy: 'read' },
  writer: { policy: 'register' },
  web: { policy: 'register', services: ['web', 'web-*'], keys: ['web/*'], nodes: ['ext-*'] },
  db: { policy: 'read', services: ['db'], keys: ['db'] },
} as const;
/** A stranger shows a token that is none. */
export type Who = keyof typeof TOKENS | 'nobody' | 'stranger';

export interface AccessRig extends ConsulApiUnderTest {
  as(who: Who, method: string, path: string, body?: unknown): Promise<ApiAnswer>;
}

/** The API with {@link TOKENS}, the services `web` and `db`, and some keys of each. */
export async function startAccessRig(): Promise<AccessRig> {
  const consul = await startConsulApi({ access: accessWith(TOKENS) });
  const as = (who: Who, method: string, path: string, body?: unknown) =>
    consul.call(method, path, body, who === 'nobody' ? {} : { 'X-Consul-Token': who });
  for (const name of ['web', 'db']) {
    const service = { Name: name, ID: `${name}-1`, Port: 80, Check: { CheckID: `${name}-ttl`, TTL: '1h' } };
    expect((await as('operator', 'PUT', '/v1/agent/service/register', service)).status).toBe(200);
    expect((await as('operator', 'PUT', `/v1/kv/${name}/one`, 'x')).text).toBe('true');
  }
  expect((await as('operator', 'PUT', '/v1/kv/db', 'x')).text).toBe('true');
  return { ...consul, as };
}
