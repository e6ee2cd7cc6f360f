import { randomUUID } from 'node:crypto';
import { type Answer, json } from './answer.ts';
import { type ApiContext, ownInstances } from './context.ts';
import { compileRegExp, type LinearRegExp, PatternError } from './linear-regexp.ts';
import { checkDatacenter, readOptions } from './query.ts';
import { Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, get, put, type Route } from './route.ts';
import { type ReceivedEvent, type UserEvent, UserEvents } from './user-events.ts';

/** Bytes of a name, its filters and its payload together. */
const LARGEST = 512;

/** https://developer.hashicorp.com/consul/api-docs/event: what is fired reaches this agent only. */
export function eventRoutes(api: ApiContext): readonly Route[] {
  const events = new UserEvents();
  return [
    put('/v1/event/fire/', (call) => fire(api, events, call)),
    get('/v1/event/list', (call) => list(api, events, call)),
  ];
}

function fire(api: ApiContext, events: UserEvents, call: Call): Answer {
  demand(call.rights.admin);
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  if (call.rest === '') throw new Refusal(400, 'Missing name');
  const event: UserEvent = {
    id: randomUUID(),
    name: call.rest,
    payload: call.bytes,
    nodeFilter: call.query.get('node') ?? '',
    serviceFilter: call.query.get('service') ?? '',
    tagFilter: call.query.get('tag') ?? '',
  };
  const isForUs = recipients(event);
  const { name, payload, nodeFilter, serviceFilter, tagFilter } = event;
  const words = Buffer.byteLength(name + nodeFilter + serviceFilter + tagFilter);
  if (words + payload.length > LARGEST) {
    throw new Refusal(500, `user event exceeds configured limit of ${LARGEST} bytes before encoding`);
  }
  if (isForUs(api)) events.receive(event);
  // Only who receives an event knows its time.
  return json(eventJson({ ...event, time: 0 }));
}

/** Whether this agent is one that the event is for. Throws Consul's 500s. */
function recipients(event: UserEvent): (api: ApiContext) => boolean {
  if (event.tagFilter !== '' && event.serviceFilter === '') {
    throw new Refusal(500, 'Cannot provide tag filter without service filter');
  }
  const node = pattern('node', event.nodeFilter);
  const service = pattern('service', event.serviceFilter);
  const tag = pattern('tag', event.tagFilter);
  return (api) => {
    if (node && !node.test(api.registry.catalog.self)) return false;
    if (!service) return true;
    return ownInstances(api).some(
      (instance) => service.test(instance.service) && (!tag || instance.tags.some((each) => tag.test(each))),
    );
  };
}

function pattern(what: string, source: string): LinearRegExp | undefined {
  if (source === '') return undefined;
  try {
    return compileRegExp(source);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new Refusal(500, `Invalid ${what} filter: ${error.message}`, { cause: error });
  }
}

/** The index is a hash of the last event, so a client waits as long as it is the one that it names. */
async function list(api: ApiContext, events: UserEvents, call: Call): Promise<Answer> {
  const { wait } = readOptions(call.query, undefined);
  const known = BigInt(call.query.get('index') || 0);
  if (known > 0n && known === indexOf(events)) {
    await api.parked.hold((signal) => events.next(signal), api.parked.deadline(wait), call.onGone);
  }
  const name = call.query.get('name') ?? '';
  const seen = call.rights.reads ? events.received : [];
  const found = seen.filter((event) => name === '' || event.name === name);
  return json(found.map(eventJson), { 'X-Consul-Index': String(indexOf(events)) });
}

/** The halves of the last event's UUID, one laid over the other (Consul's uuidToUint64); 1 before the first. */
function indexOf(events: UserEvents): bigint {
  const hex = events.received.at(-1)?.id.replaceAll('-', '');
  return hex === undefined ? 1n : BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`);
}

function eventJson(event: ReceivedEvent): object {
  return {
    ID: event.id,
    Name: event.name,
    Payload: event.payload.length === 0 ? null : event.payload.toString('base64'),
    NodeFilter: event.nodeFilter,
    ServiceFilter: event.serviceFilter,
    TagFilter: event.tagFilter,
    Version: 1,
    LTime: event.time,
  };
}
