import { z } from 'zod';
import { backend } from './backends.ts';
import { defaults } from './defaults.ts';
import { frontend } from './frontends.ts';
import { global } from './global.ts';
import { mysqlVip } from './mysql-vip.ts';
import { registry } from './registry.ts';
import { resolvers } from './resolvers.ts';
import { named, orOff } from './values.ts';

/**
 * The user's file, key by key, in HAProxy's spelling where HAProxy has the keyword. It checks each value for
 * itself and reads it; what needs two values to be judged is `resolve.ts`'s.
 */
export const userConfig = z.strictObject({
  global: global.optional().describe('The process as a whole.'),
  registry: orOff(registry).optional().describe('The built-in Consul-compatible registry; off: none.'),
  resolvers: named(resolvers)
    .optional()
    .describe('Outside nameservers, by a name of your choice. builtin is the registry and always exists.'),
  defaults: defaults
    .optional()
    .describe('What frontends and backends use where they say nothing themselves.'),
  frontends: named(frontend).optional().describe('Where clients come in, by name.'),
  backends: named(backend).optional().describe('Who does the work, by name.'),
  'mysql-vip': named(mysqlVip)
    .optional()
    .describe('Endpoints that lead to the MySQL master, and to a read-only slave without it, by name.'),
});

export type UserConfig = z.output<typeof userConfig>;
export type UserGlobal = NonNullable<UserConfig['global']>;
export type UserRegistry = NonNullable<UserConfig['registry']>;
export type UserDefaults = NonNullable<UserConfig['defaults']>;
export type UserResolvers = z.output<typeof resolvers>;
export type UserFrontend = z.output<typeof frontend>;
export type UserBackend = z.output<typeof backend>;
export type UserServer = NonNullable<UserBackend['servers']>[number];
export type UserMysqlVip = z.output<typeof mysqlVip>;
