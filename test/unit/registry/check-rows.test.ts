import { expect, test } from 'vitest';
import type { CheckKind } from '../../../src/registry/model.ts';
import { decodeCheck, encodeRow } from '../../../src/registry/stores/rows.ts';

const KINDS: { readonly [K in CheckKind['kind']]: Extract<CheckKind, { kind: K }> } = {
  http: {
    kind: 'http',
    url: 'http://x/',
    method: 'GET',
    header: { a: ['b'] },
    body: '',
    tlsSkipVerify: true,
  },
  tcp: { kind: 'tcp', address: 'x:1' },
  udp: { kind: 'udp', address: 'x:1' },
  grpc: { kind: 'grpc', target: 'x:1/s', useTls: true, tlsSkipVerify: false },
  script: { kind: 'script', args: ['true'], shell: '' },
  docker: { kind: 'docker', container: 'c1', args: ['true'], shell: '/bin/sh' },
  ttl: { kind: 'ttl' },
  alias: { kind: 'alias', node: 'n', serviceId: 's' },
};

function row(kind: object) {
  return {
    ...{ node: 'lb-1', id: 'c', name: 'c', status: 'passing', notes: '', output: '' },
    ...{
      serviceId: '',
      serviceName: '',
      serviceTags: [],
      type: 'x',
      toldDefinition: undefined,
      file: undefined,
    },
    definition: {
      ...{ kind, interval: 1, timeout: 1, ttl: 0, successBeforePassing: 0, failuresBeforeCritical: 0 },
      ...{ deregisterCriticalServiceAfter: 0, outputMaxSize: 0 },
    },
  };
}

test.each(Object.entries(KINDS))('a stored check of the kind %s comes back as it was', (_name, kind) => {
  expect(decodeCheck('c', encodeRow(row(kind)))).toEqual(row(kind));
});

test.each([
  { kind: 'udp' },
  { kind: 'docker', container: 'c1', args: ['true'] },
  { kind: 'docker', container: 1, args: ['true'], shell: '' },
  { kind: 'h2ping', address: 'x:1' },
])('%j is no check', (kind) => {
  expect(() => decodeCheck('c', encodeRow(row(kind)))).toThrow(
    expect.objectContaining({ code: 'STORE_CORRUPT' }),
  );
});
