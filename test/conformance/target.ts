import { type Endpoint, startRequest } from './http-exchange.ts';
import { valueAt } from './json-values.ts';

/** The registry that is tried. */
export interface Target {
  readonly http: Endpoint;
  readonly dns: Endpoint;
}

/** What a registry calls itself, and texts that are other ones on every run, with what stands for them. */
export interface Self {
  readonly datacenter: string;
  readonly node: string;
  readonly address: string;
  readonly replacements: [string, string][];
}

/** Throws if the registry does not say. */
export async function selfOf(target: Target): Promise<Self> {
  const { answer } = startRequest(target.http, { path: '/v1/agent/self' });
  const self = await answer;
  const told = (path: string) => {
    const value = valueAt(self, `body.${path}`);
    if (typeof value === 'string') return value;
    throw new Error(`/v1/agent/self does not say ${path}, but ${JSON.stringify(self)}`);
  };
  return {
    datacenter: told('Config.Datacenter'),
    node: told('Config.NodeName'),
    address: told('Member.Addr'),
    replacements: [],
  };
}
