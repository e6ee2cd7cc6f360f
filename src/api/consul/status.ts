import { vaneNodes } from '../../registry/cluster/plans.ts';
import { serverAddress } from './agent.ts';
import { json } from './answer.ts';
import type { ApiContext } from './context.ts';
import { checkDatacenter } from './query.ts';
import { type Call, get, type Handler, type Route } from './route.ts';

/** https://developer.hashicorp.com/consul/api-docs/status: one node leads itself. */
export function statusRoutes(api: ApiContext): readonly Route[] {
  const ownDatacenter = (call: Call) =>
    checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const open = (path: string, handler: Handler): Route => ({ ...get(path, handler), open: true });
  return [
    open('/v1/status/leader', (call) => {
      ownDatacenter(call);
      const { cluster } = api.registry;
      // Consul's word for no leader.
      if (cluster && cluster.view.leader === undefined) return json('');
      return json(serverAddress(api, cluster?.view.leader));
    }),
    open('/v1/status/peers', (call) => {
      ownDatacenter(call);
      return json(vaneNodes(api.registry.catalog).map(({ node }) => serverAddress(api, node)));
    }),
  ];
}
