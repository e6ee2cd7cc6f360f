import { empty, json } from './answer.ts';
import { type ApiContext, indexed } from './context.ts';
import { type Call, get, type Route } from './route.ts';

/** Where a node is that has measured nothing: Consul's Vivaldi coordinates start here. */
const ORIGIN = { Vec: [0, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 0.00001 };

/** https://developer.hashicorp.com/consul/api-docs/coordinate: a network of one node, at its origin. */
export function coordinateRoutes(api: ApiContext): readonly Route[] {
  const { catalog } = api.registry;
  const own = [{ Node: catalog.self, Segment: '', Coord: ORIGIN }];
  const query = { kind: 'nodes' } as const;
  const index = () => catalog.indexOf(query);
  const read = () => ({ index: index(), value: own });
  const seen = <T>({ rights }: Call, value: readonly T[]) => (rights.reads ? value : []);
  return [
    get('/v1/coordinate/datacenters', () => {
      const servers = own.map((one) => ({ ...one, Node: `${one.Node}.${catalog.datacenter}` }));
      return json([{ Datacenter: catalog.datacenter, AreaID: 'wan', Coordinates: servers }]);
    }),
    get('/v1/coordinate/nodes', (call) => indexed(api, call, query, read, (value) => seen(call, value))),
    get('/v1/coordinate/node/', (call) => {
      if (call.rest.toLowerCase() !== catalog.self.toLowerCase()) return empty(404);
      return indexed(api, call, query, read, (value) => seen(call, value));
    }),
  ];
}
