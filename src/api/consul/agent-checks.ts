import type { Check, CheckStatus } from '../../registry/model.ts';
import { type Answer, empty, json } from './answer.ts';
import { checkProblem, checkRequest, isCheckStatus } from './check-request.ts';
import { type ApiContext, ownCheck, ownChecks, ownInstance, renewTtl } from './context.ts';
import { decodeBody } from './decode.ts';
import { agentCheckJson, keyed } from './encode.ts';
import { filterOf } from './filter.ts';
import { CHECK as CHECK_SHAPE } from './filter-shapes.ts';
import { command, Refusal } from './refusal.ts';
import { CHECK, CHECK_UPDATE } from './requests.ts';
import { type Call, get, put, type Route } from './route.ts';
import { refuseControlCharacters } from './validate.ts';
import { readsCheck, vetCheck, vetNewCheck } from './vet.ts';

/** https://developer.hashicorp.com/consul/api-docs/agent/check */
export function agentCheckRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/checks', (call) => checks(api, call)),
    put('/v1/agent/check/register', (call) => register(api, call)),
    put('/v1/agent/check/deregister/', (call) => deregister(api, call)),
    put('/v1/agent/check/pass/', (call) => report(api, call, 'passing', note(call))),
    put('/v1/agent/check/warn/', (call) => report(api, call, 'warning', note(call))),
    put('/v1/agent/check/fail/', (call) => report(api, call, 'critical', note(call))),
    put('/v1/agent/check/update/', (call) => update(api, call)),
  ];
}

function checks(api: ApiContext, call: Call): Answer {
  const { rights } = call;
  const keep = filterOf(call.query.get('filter'), CHECK_SHAPE, '');
  const shown = (check: Check) => agentCheckJson(check, api.registry.freshOutput(check));
  return json(
    keyed(
      ownChecks(api).filter((check) => readsCheck(rights, check) && keep(shown(check))),
      (check) => check.id,
      shown,
    ),
  );
}

async function register(api: ApiContext, call: Call): Promise<Answer> {
  const body = decodeBody(call.body, CHECK, api);
  if (body.Name === '') throw new Refusal(400, 'Missing check name');
  if (body.Status !== '' && !isCheckStatus(body.Status)) throw new Refusal(400, 'Bad check status');
  const problem = checkProblem(body);
  if (problem) throw new Refusal(400, `Invalid check: ${problem}`);
  refuseControlCharacters({ 'service ID': body.ServiceID });
  const request = checkRequest(
    body,
    body.ID === '' ? body.Name : body.ID,
    isCheckStatus(body.Status) ? body.Status : undefined,
    api.scriptChecks,
  );
  if (body.ServiceID !== '' && !ownInstance(api, body.ServiceID)) {
    throw new Refusal(500, `ServiceID ${JSON.stringify(body.ServiceID)} does not exist`);
  }
  const { catalog } = api.registry;
  const check = { node: catalog.self, id: request.id ?? '', serviceId: body.ServiceID };
  vetNewCheck(call.rights, catalog, check);
  await command(api.registry.registerCheck({ ...request, serviceId: body.ServiceID }, call.cause), 400);
  const registered = ownCheck(api, request.id ?? '');
  if (registered) renewTtl(api, [registered]);
  return empty();
}

async function deregister(api: ApiContext, call: Call): Promise<Answer> {
  if (call.rest === '') throw new Refusal(500, 'CheckID missing');
  const check = ownCheck(api, call.rest);
  if (!check) return empty();
  vetCheck(call.rights, check);
  await command(api.registry.deregisterCheck(check.id, call.cause), 400);
  return empty();
}

async function update(api: ApiContext, call: Call): Promise<Answer> {
  const { Status, Output } = decodeBody(call.body, CHECK_UPDATE, api);
  if (!isCheckStatus(Status)) throw new Refusal(400, `Invalid check status: '${Status}'`);
  return report(api, call, Status, Output);
}

async function report(api: ApiContext, call: Call, status: CheckStatus, output: string): Promise<Answer> {
  const id = call.rest;
  const known = ownCheck(api, id);
  vetCheck(call.rights, known);
  if (!known || !(await api.checks.ttlUpdate(id, status, output))) {
    throw new Refusal(500, `CheckID ${JSON.stringify(id)} does not have associated TTL`);
  }
  return empty();
}

function note(call: Call): string {
  return call.query.get('note') ?? '';
}
