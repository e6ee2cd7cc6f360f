import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { ConsulConfig } from '../config/runtime/resolvers.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { ConsulHttpApi } from '../discovery/consul/http-api.ts';
import { ConsulKeys } from './agreement/consul-keys.ts';
import { registryKeys, type SharedRegistry } from './agreement/registry-keys.ts';
import type { SharedKeys } from './agreement/shared-keys.ts';
import { BuiltinInstances, type VipRegistry } from './registrations/builtin-instances.ts';
import { ConsulInstances } from './registrations/consul-instances.ts';
import type { Instances } from './registrations/instances.ts';

/** Where a VIP shows its instances, and where it agrees with others. */
export interface VipPlaces {
  /** Undefined: nowhere. */
  readonly instances: Instances | undefined;
  /** Undefined: there are no others. */
  readonly keys: SharedKeys | undefined;
  /** Ends what is under way. */
  readonly close: () => void;
}

export interface VipPlacesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The name of this node. */
  readonly node: string;
  /** The built-in one; undefined: there is none in this process. */
  readonly registry: (VipRegistry & SharedRegistry) | undefined;
}

/** Opens what a configuration says: a Consul, or else the built-in registry. */
export function vipPlaces(
  { name: vip, registry: { services, lock } }: Pick<MysqlVipConfig, 'name' | 'registry'>,
  { clock, log, node, registry }: VipPlacesOptions,
): VipPlaces {
  const closing: (() => void)[] = [];
  const apiOf = (config: ConsulConfig) => {
    const api = new ConsulHttpApi(config, clock);
    closing.push(() => api.close());
    return api;
  };
  const instancesOf = (config: ConsulConfig) => {
    const instances = new ConsulInstances({ api: apiOf(config), clock, log, vip, node });
    closing.unshift(() => instances.close());
    return instances;
  };
  const keysOf = (config: ConsulConfig) => {
    const keys = new ConsulKeys(apiOf(config), clock, config.datacenter);
    closing.unshift(() => keys.close());
    return keys;
  };
  const builtin = registry && new BuiltinInstances(registry, vip);
  const shared = registry?.cluster && registryKeys(registry, `mysql-vip ${vip}`);
  return {
    instances: services ? instancesOf(services) : builtin,
    keys: lock ? keysOf(lock) : shared,
    close: () => {
      for (const close of closing) close();
    },
  };
}
