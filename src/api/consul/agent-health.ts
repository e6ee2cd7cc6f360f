import type { Check, Instance } from '../../registry/model.ts';
import { aggregateStatus } from '../../registry/reader.ts';
import { type Answer, json, text } from './answer.ts';
import { type ApiContext, ownChecks, ownInstance, ownInstances } from './context.ts';
import { agentHealthCheckJson, agentServiceJson } from './encode.ts';
import { Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, get, type Route } from './route.ts';

/** https://developer.hashicorp.com/consul/api-docs/agent/service#get-local-service-health */
export function agentHealthRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/health/service/id/', (call) => byId(api, call)),
    get('/v1/agent/health/service/name/', (call) => byName(api, call)),
  ];
}

type AgentStatus = 'passing' | 'warning' | 'critical' | 'maintenance';

const HTTP_STATUS: Readonly<Record<AgentStatus, number>> = {
  passing: 200,
  warning: 429,
  critical: 503,
  maintenance: 503,
};

function byId(api: ApiContext, call: Call): Answer {
  const id = call.rest;
  if (id === '') throw new Refusal(500, 'Bad request: Missing serviceID');
  demand(call.rights.reads);
  const instance = ownInstance(api, id);
  if (!instance) {
    const reason = `ServiceId ${id} not found`;
    const body = wantsText(call) ? reason : { AggregatedStatus: 'critical', Service: null, Checks: null };
    return json(body, { 'X-Consul-Reason': reason }, 404);
  }
  demand(call.rights.readsService(instance.service));
  const health = healthOf(api, instance);
  return answer(call, health.status, health.json);
}

function byName(api: ApiContext, call: Call): Answer {
  const name = call.rest;
  if (name === '') throw new Refusal(500, 'Bad request: Missing service Name');
  demand(call.rights.readsService(name));
  const instances = ownInstances(api).filter((instance) => instance.service === name);
  if (instances.length === 0) {
    const headers = { 'X-Consul-Reason': `ServiceName ${name} Not Found` };
    return wantsText(call)
      ? text(404, headers['X-Consul-Reason'], headers, 'text/plain')
      : json([], headers, 404);
  }
  const health = instances.map((instance) => healthOf(api, instance));
  const worst = health.reduce((a, b) => (HTTP_STATUS[b.status] > HTTP_STATUS[a.status] ? b : a));
  return answer(
    call,
    worst.status,
    health.map((each) => each.json),
  );
}

function answer(call: Call, status: AgentStatus, body: unknown): Answer {
  const headers = { 'X-Consul-Reason': status };
  return wantsText(call)
    ? text(HTTP_STATUS[status], status, headers, 'text/plain')
    : json(body, headers, HTTP_STATUS[status]);
}

function wantsText(call: Call): boolean {
  if (call.header('accept')?.startsWith('text/plain')) return true;
  return call.query.get('format') === 'text';
}

function healthOf(api: ApiContext, instance: Instance): { status: AgentStatus; json: object } {
  const checks = ownChecks(api).filter((check) => check.serviceId === '' || check.serviceId === instance.id);
  const status = checks.some(isMaintenance) ? 'maintenance' : aggregateStatus(checks);
  return {
    status,
    json: {
      AggregatedStatus: status,
      Service: agentServiceJson(instance, api.registry.catalog.datacenter),
      Checks: checks.map((check) => agentHealthCheckJson(check, api.registry.freshOutput(check))),
    },
  };
}

function isMaintenance(check: Check): boolean {
  return check.id === '_node_maintenance' || check.id.startsWith('_service_maintenance:');
}
