import { serverAddress } from './agent.ts';
import { json } from './answer.ts';
import type { ApiContext } from './context.ts';
import { checkDatacenter } from './query.ts';
import { type Call, get, type Handler, type Route } from './route.ts';

/** https://developer.hashicorp.com/consul/api-docs/status: a cluster of one, which leads itself. */
export function statusRoutes(api: ApiContext): readonly Route[] {
  const ownDatacenter = (call: Call) =>
    checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const open = (path: string, handler: Handler): Route => ({ ...get(path, handler), open: true });
  return [
    open('/v1/status/leader', (call) => {
      ownDatacenter(call);
      return json(serverAddress(api));
    }),
    open('/v1/status/peers', (call) => {
      ownDatacenter(call);
      return json([serverAddress(api)]);
    }),
  ];
}
