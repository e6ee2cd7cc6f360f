import { absentFeatureRoutes } from './absent-features.ts';
import { agentRoutes } from './agent.ts';
import { agentCheckRoutes } from './agent-checks.ts';
import { agentFactRoutes } from './agent-facts.ts';
import { agentHealthRoutes } from './agent-health.ts';
import { agentProcessRoutes } from './agent-process.ts';
import { agentSelfRoutes } from './agent-self.ts';
import { agentServiceRoutes } from './agent-services.ts';
import { catalogRoutes } from './catalog.ts';
import { catalogWriteRoutes } from './catalog-writes.ts';
import type { ApiContext } from './context.ts';
import { coordinateRoutes } from './coordinates.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { kvRoutes } from './kv.ts';
import { preparedQueryRoutes } from './prepared-queries.ts';
import type { Route } from './route.ts';
import { sessionRoutes } from './session.ts';
import { snapshotRoutes } from './snapshot.ts';
import { statusRoutes } from './status.ts';
import { txnRoutes } from './txn.ts';
import { uiRoutes } from './ui/routes.ts';

/** Every endpoint there is. */
export function consulRoutes(api: ApiContext): readonly Route[] {
  return [
    ...agentRoutes(api),
    ...agentSelfRoutes(api),
    ...agentFactRoutes(api),
    ...agentProcessRoutes(api),
    ...agentServiceRoutes(api),
    ...agentCheckRoutes(api),
    ...agentHealthRoutes(api),
    ...catalogRoutes(api),
    ...catalogWriteRoutes(api),
    ...healthRoutes(api),
    ...kvRoutes(api),
    ...sessionRoutes(api),
    ...txnRoutes(api),
    ...preparedQueryRoutes(api),
    ...snapshotRoutes(api),
    ...statusRoutes(api),
    ...eventRoutes(api),
    ...coordinateRoutes(api),
    ...uiRoutes(api),
    ...absentFeatureRoutes(api),
  ];
}
