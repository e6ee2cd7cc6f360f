import { messageOf } from '../../core/errors.ts';
import { vaneNodes } from '../../registry/cluster/plans.ts';
import { type Answer, empty } from './answer.ts';
import type { ApiContext } from './context.ts';
import { command, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, put, type Route } from './route.ts';

/** What clients may ask of the process that the agent is. */
export interface ProcessPort {
  /** Reads the configuration again and takes it; rejects with what is wrong with it. */
  reload(): Promise<void>;
  /** Stops gracefully; what is being answered is answered first. */
  leave(): void;
}

/** Reloading and leaving: https://developer.hashicorp.com/consul/api-docs/agent */
export function agentProcessRoutes(api: ApiContext): readonly Route[] {
  return [
    put('/v1/agent/reload', (call) => reload(api, call)),
    put('/v1/agent/leave', (call) => {
      demand(call.rights.admin);
      const process = port(api);
      api.log.info({ by: call.cause.by }, 'asked over the consul api to stop');
      api.registry.leaveOnStop?.();
      process.leave();
      return empty();
    }),
    put('/v1/agent/force-leave/', (call) => forceLeave(api, call)),
  ];
}

/** Takes a node away that shared the registry and has failed; one that lives stays. */
async function forceLeave(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const { catalog } = api.registry;
  const member = vaneNodes(catalog).find(({ node }) => node === call.rest);
  if (!member) throw new Refusal(500, `agent: No node found with name '${call.rest}'`);
  const { node, status } = member;
  if (node !== catalog.self && status === 'critical') {
    const request = { node, serviceId: undefined, checkId: undefined };
    await command(api.registry.catalogDeregister(request, call.cause), 500);
  }
  return empty();
}

async function reload(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const process = port(api);
  api.log.info({ by: call.cause.by }, 'asked over the consul api to reload');
  try {
    await process.reload();
    return empty();
  } catch (error) {
    throw new Refusal(500, messageOf(error), { cause: error });
  }
}

function port(api: ApiContext): ProcessPort {
  if (api.process) return api.process;
  throw new Refusal(501, 'Nobody can reload or end this process over HTTP');
}
