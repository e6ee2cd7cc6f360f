import { agentRoutes } from './agent.ts';
import { agentCheckRoutes } from './agent-checks.ts';
import { agentHealthRoutes } from './agent-health.ts';
import { agentServiceRoutes } from './agent-services.ts';
import { catalogRoutes } from './catalog.ts';
import { catalogWriteRoutes } from './catalog-writes.ts';
import type { ApiContext } from './context.ts';
import { healthRoutes } from './health.ts';
import type { Route } from './route.ts';
import { statusRoutes } from './status.ts';

/** Every endpoint there is. */
export function consulRoutes(api: ApiContext): readonly Route[] {
  return [
    ...agentRoutes(api),
    ...agentServiceRoutes(api),
    ...agentCheckRoutes(api),
    ...agentHealthRoutes(api),
    ...catalogRoutes(api),
    ...catalogWriteRoutes(api),
    ...healthRoutes(api),
    ...statusRoutes(api),
  ];
}
