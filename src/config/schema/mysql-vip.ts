import { z } from 'zod';
import { bind, duration, hostPort, listOf, named, requires, whole } from './values.ts';

const server = z
  .strictObject({
    address: hostPort().optional().describe('ip:port of the MySQL or MariaDB server.'),
    role: z
      .enum(['master', 'slave'])
      .optional()
      .describe('master: takes writes; exactly one server. slave: a read-only replica of it.'),
  })
  .meta(requires('address', 'role'));

const monitor = z
  .strictObject({
    user: z.string().min(1).optional().describe('Account that the servers are asked with.'),
    password: z.string().optional().describe('Its password. Default: none.'),
    interval: duration(1).optional().describe('Time between two probes of a server. Default: 1s.'),
    timeout: duration(1)
      .optional()
      .describe('Longest time of one probe: connection, greeting, login and answers. Default: 1s.'),
    fall: whole(1, 1_000)
      .optional()
      .describe('Probes in a row that time out until a server is down; 2 that are refused do. Default: 3.'),
    rise: whole(1, 1_000)
      .optional()
      .describe('Good probes in a row until a server that was down is up. Default: 2.'),
  })
  .meta(requires('user'));

const failover = z.strictObject({
  mode: z
    .enum(['degrade'])
    .optional()
    .describe(
      'degrade: without the master, clients are led to a slave, which stays read-only. Default: degrade.',
    ),
  'unreachable-wait': duration(0)
    .optional()
    .describe(
      'How long a slave that still hears from the master keeps clients from being led away. Default: 5s.',
    ),
  'max-stale': duration(0)
    .optional()
    .describe('A slave whose data is older than this is not used. Default: 1h.'),
});

const failback = z.strictObject({
  policy: z
    .enum(['automatic', 'after-stable', 'manual'])
    .optional()
    .describe(
      'When clients are led back to the master: as soon as it is up; after it has been well for a time and the slave replicates; or only once this says otherwise. Default: after-stable.',
    ),
  stable: duration(0)
    .optional()
    .describe(
      'How long the master must have been well; doubles with each failover within an hour, up to 1h. Default: 60s.',
    ),
});

const hold = z.strictObject({
  time: duration(0)
    .optional()
    .describe(
      'How long a new client waits while there is no server for it, before it gets error 1053. Default: 8s.',
    ),
  max: whole(0, 100_000).optional().describe('Clients that wait at once, at most. Default: 1000.'),
});

export const mysqlVip = z
  .strictObject({
    bind: listOf(bind(), 1)
      .optional()
      .describe('Addresses that lead to the master, and without it to a slave, read-only.'),
    'bind-ro': listOf(bind(), 1)
      .optional()
      .describe('Addresses for reading: they lead to slaves, and without any to the master. Default: none.'),
    service: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?$/, {
        error: 'a service is made of lower-case letters, digits and "-"',
      })
      .optional()
      .describe('The registry gets NAME-master, NAME-slave and NAME-vip. Default: mysql.'),
    servers: named(server).optional().describe('The MySQL servers, by name.'),
    monitor: monitor.optional().describe('How the servers are asked whether they work.'),
    failover: failover.optional().describe('When clients are led away from the master.'),
    failback: failback.optional().describe('When clients are led back to it.'),
    hold: hold.optional().describe('New clients while there is no server.'),
    drain: duration(0)
      .optional()
      .describe(
        'How long sessions may finish what they do on a server that works and is not to be used any more. Default: 10s.',
      ),
    timeout: z
      .strictObject({
        connect: duration(1)
          .optional()
          .describe('For a server to accept a connection and to greet. Default: 1s.'),
      })
      .optional()
      .describe('Timeouts towards servers.'),
    maxconn: whole(1, 10_000_000).optional().describe('Client connections at once. Default: global.maxconn.'),
  })
  .meta(requires('bind', 'servers', 'monitor'));
