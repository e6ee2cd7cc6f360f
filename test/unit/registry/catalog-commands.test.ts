import { describe, expect, test } from 'vitest';
import type { CatalogRegistration } from '../../../src/registry/catalog-plans.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRequest, checkRow, nodeRow, serviceRequest } from '../../helpers/registry-rows.ts';

const web = { id: 'w', service: 'web', tags: ['t'] };

function registration(node: string, more: Partial<CatalogRegistration> = {}): CatalogRegistration {
  return { node: { ...nodeRow(node), skipUpdate: false }, service: undefined, checks: [], ...more };
}

describe('catalog/register', () => {
  test('puts node, service and checks in one commit, and nothing when repeated', async () => {
    const { registry, catalog } = await startedRegistry();
    const request = registration('ext', {
      service: serviceRequest('w', 'web', { tags: ['t'] }),
      // What a caller says of the service's name and tags is not asked.
      checks: [checkRow('ext', 'c', { id: 'W', service: 'other' }), checkRow('ext', 'n')],
    });
    const before = catalog.index;
    await registry.catalogRegister(request, CAUSE);
    await registry.catalogRegister(request, CAUSE);
    expect(catalog.index).toBe(before + 1);
    expect(catalog.entries('web').value).toHaveLength(1);
    expect(catalog.check('ext', 'c')).toMatchObject({
      serviceId: 'w',
      serviceName: 'web',
      serviceTags: ['t'],
    });
    expect(catalog.entries('web').value[0]?.checks.map(({ id }) => id)).toEqual(['n', 'c']);
  });

  test('replaces a node as a whole, unless told to leave one that is there', async () => {
    const { registry, catalog } = await startedRegistry();
    const node = { ...nodeRow('ext', { meta: { a: '1' } }), skipUpdate: true };
    await registry.catalogRegister(registration('ext', { node }), CAUSE);
    await registry.catalogRegister(registration('ext', { node: { ...node, meta: null } }), CAUSE);
    expect(catalog.node('ext').value?.node.meta).toEqual({ a: '1' });
    await registry.catalogRegister(registration('ext'), CAUSE);
    expect(catalog.node('ext').value?.node.meta).toBeNull();
    expect(catalog.node('ext').value?.node).not.toHaveProperty('skipUpdate');
  });

  test('with a check of a service that is not there stores nothing, not even the node', async () => {
    const { registry, catalog } = await startedRegistry();
    const before = catalog.index;
    const request = registration('ext', { checks: [checkRow('ext', 'c', web)] });
    await expect(registry.catalogRegister(request, CAUSE)).rejects.toMatchObject({
      code: 'REGISTRY_NOT_FOUND',
      message: 'failed inserting check: Missing service registration on node "ext"',
    });
    expect(catalog.index).toBe(before);
    expect(catalog.node('ext').value).toBeUndefined();
  });

  test('lets the checks of a service follow it', async () => {
    const { registry, catalog } = await startedRegistry();
    const checks = [checkRow('ext', 'c', web)];
    await registry.catalogRegister(
      registration('ext', { service: serviceRequest('w', 'web'), checks }),
      CAUSE,
    );
    await registry.catalogRegister(registration('ext', { service: serviceRequest('w', 'api') }), CAUSE);
    expect(catalog.serviceChecks('api').value.map(({ id }) => id)).toEqual(['c']);
  });

  test('with a known node id under a new name renames the node', async () => {
    const { registry, catalog } = await startedRegistry();
    const node = (name: string) => ({ ...nodeRow(name, { id: 'uuid' }), skipUpdate: false });
    await registry.catalogRegister(registration('old', { node: node('old') }), CAUSE);
    await registry.catalogRegister(registration('new', { node: node('new') }), CAUSE);
    expect(catalog.nodes().value.map(({ node }) => node)).toEqual(['lb-1', 'new']);
    const own = catalog.node('lb-1').value?.node.id ?? '';
    const thief = { ...nodeRow('thief', { id: own }), skipUpdate: false };
    await expect(
      registry.catalogRegister(registration('thief', { node: thief }), CAUSE),
    ).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
    });
  });

  test("on this process's own node leaves its row alone, and what it adds stays", async () => {
    const { registry, catalog } = await startedRegistry();
    const before = catalog.node('lb-1').value?.node;
    const request = registration('LB-1', {
      service: serviceRequest('w', 'web'),
      checks: [checkRow('LB-1', 'c', web)],
    });
    await registry.catalogRegister(request, CAUSE);
    expect(catalog.node('lb-1').value?.node).toBe(before);
    expect(catalog.instance('lb-1', 'w')).toMatchObject({ node: 'lb-1', service: 'web' });
    for (const forged of [
      registration('lb-1', { service: serviceRequest('consul') }),
      registration('lb-1', { checks: [checkRow('lb-1', 'serfHealth', undefined, { status: 'critical' })] }),
    ]) {
      await expect(registry.catalogRegister(forged, CAUSE)).rejects.toMatchObject({
        code: 'REGISTRY_INVALID',
      });
    }
  });
});

describe('catalog/deregister', () => {
  const all = { serviceId: undefined, checkId: undefined };

  test('takes a check, a service with its checks, or a node with everything', async () => {
    const { registry, catalog } = await startedRegistry();
    const checks = [checkRow('ext', 'c', web), checkRow('ext', 'n')];
    await registry.catalogRegister(
      registration('ext', { service: serviceRequest('w', 'web'), checks }),
      CAUSE,
    );
    const ids = () => catalog.nodeChecks('ext').value.map(({ id }) => id);
    await registry.catalogDeregister({ node: 'EXT', serviceId: undefined, checkId: 'N' }, CAUSE);
    expect(ids()).toEqual(['c']);
    await registry.catalogDeregister({ node: 'ext', serviceId: 'W', checkId: undefined }, CAUSE);
    expect([ids(), catalog.entries('web').value]).toEqual([[], []]);
    await registry.catalogDeregister({ node: 'ext', ...all }, CAUSE);
    expect(catalog.node('ext').value).toBeUndefined();
  });

  test('of what is not there commits nothing', async () => {
    const { registry, catalog } = await startedRegistry();
    const before = catalog.index;
    await registry.catalogDeregister({ node: 'nope', ...all }, CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', serviceId: 'nope', checkId: undefined }, CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', serviceId: undefined, checkId: 'nope' }, CAUSE);
    expect(catalog.index).toBe(before);
  });

  test('of an own instance is final', async () => {
    const { registry, catalog } = await startedRegistry();
    const request = { service: serviceRequest('w'), checks: [checkRequest('c')], replaceChecks: false };
    await registry.registerService(request, CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', serviceId: 'w', checkId: undefined }, CAUSE);
    expect(catalog.instance('lb-1', 'w')).toBeUndefined();
    await expect(registry.reportCheck('c', 'passing', '', CAUSE)).rejects.toMatchObject({
      code: 'REGISTRY_NOT_FOUND',
    });
    expect(catalog.instance('lb-1', 'w')).toBeUndefined();
  });

  test("of this process's own node takes everything but what makes it a node", async () => {
    const { registry, catalog } = await startedRegistry();
    const request = { service: serviceRequest('w'), checks: [checkRequest('c')], replaceChecks: false };
    await registry.registerService(request, CAUSE);
    await registry.setNodeMaintenance(true, '', CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', ...all }, CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', serviceId: 'consul', checkId: undefined }, CAUSE);
    await registry.catalogDeregister({ node: 'lb-1', serviceId: undefined, checkId: 'serfHealth' }, CAUSE);
    expect(catalog.node('lb-1').value?.instances.map(({ id }) => id)).toEqual(['consul']);
    expect(catalog.nodeChecks('lb-1').value.map(({ id }) => id)).toEqual(['serfHealth']);
    await registry.registerService(request, CAUSE);
    expect(catalog.instance('lb-1', 'w')).toBeDefined();
  });
});
