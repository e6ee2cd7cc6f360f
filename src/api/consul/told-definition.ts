import { goDuration } from '../../health/duration.ts';
import type { CheckDefinition } from '../../registry/model.ts';
import type { CatalogCheckDefinitionBody } from './requests.ts';

/**
 * The definition of a check in the catalog, by which an external monitor (Consul's consul-esm) knows what to probe.
 * Undefined unless it is an HTTP, TCP or UDP check, the only kinds that such monitors run.
 */
export function toldDefinition(body: CatalogCheckDefinitionBody): CheckDefinition | undefined {
  const kind = kindOf(body);
  return (
    kind && {
      kind,
      interval: body.Interval,
      timeout: body.Timeout,
      ttl: 0,
      successBeforePassing: 0,
      failuresBeforeCritical: 0,
      deregisterCriticalServiceAfter: body.DeregisterCriticalServiceAfter,
      outputMaxSize: 0,
    }
  );
}

function kindOf(body: CatalogCheckDefinitionBody): CheckDefinition['kind'] | undefined {
  const { HTTP: url, Method: method, Body, TLSSkipVerify: tlsSkipVerify, TCP, UDP } = body;
  if (url === '' && TCP !== '') return { kind: 'tcp', address: TCP };
  if (url === '') return UDP === '' ? undefined : { kind: 'udp', address: UDP };
  const header: Record<string, readonly string[]> = Object.create(null);
  for (const [name, values] of Object.entries(body.Header ?? {})) header[name] = values ?? [];
  return { kind: 'http', url, method, header, body: Body, tlsSkipVerify };
}

/** What is not set is left out, as in Consul. */
export function toldDefinitionJson(definition: CheckDefinition | undefined): object {
  if (!definition) return {};
  const { kind, interval, timeout, deregisterCriticalServiceAfter } = definition;
  const json: Record<string, unknown> = {
    Interval: duration(interval),
    Timeout: duration(timeout),
    DeregisterCriticalServiceAfter: duration(deregisterCriticalServiceAfter),
  };
  if (kind.kind === 'tcp') json.TCP = kind.address;
  if (kind.kind === 'udp') json.UDP = kind.address;
  if (kind.kind === 'http') {
    json.HTTP = kind.url;
    json.TLSSkipVerify = kind.tlsSkipVerify;
    json.Header = Object.keys(kind.header).length > 0 ? kind.header : undefined;
    json.Method = kind.method;
    json.Body = kind.body;
  }
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value));
}

function duration(ms: number): string {
  return ms === 0 ? '' : goDuration(ms);
}
