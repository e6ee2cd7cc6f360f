import { z } from 'zod';
import { sendProxy } from './send-proxy.ts';
import { clientBind, duration, hostPort, listOf, named, requires, whole } from './values.ts';

const server = z
  .strictObject({
    address: hostPort().optional().describe('ip:port of the MySQL or MariaDB server.'),
    role: z
      .enum(['master', 'slave'])
      .optional()
      .describe('master: takes writes; exactly one server. slave: a read-only replica of it.'),
    node: z
      .string()
      .min(1)
      .optional()
      .describe('Node of the built-in registry that it runs on, whose agent says whether it is there.'),
    ...sendProxy,
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
    .enum(['degrade', 'promote'])
    .optional()
    .describe(
      'degrade: without the master, clients are led to a slave, which stays read-only. promote: where it is certain that the master is dead, a slave becomes the master. Default: degrade.',
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

const registry = z.strictObject({
  services: z
    .string()
    .optional()
    .describe(
      'A resolvers section with the key consul: the agent there shows the four instances. Default: builtin, the registry of this process.',
    ),
  lock: z
    .string()
    .optional()
    .describe(
      'A resolvers section with the key consul: Vanes agree there on where to lead. Default: builtin, if its store is shared.',
    ),
  'agent-loss': z
    .enum(['failover', 'confirm', 'ignore'])
    .optional()
    .describe(
      "What it means that the registry has lost the agent of the master's node: failover: clients are led away even though the master answers; confirm: only if it does not, and then at once; ignore: nothing. Default: failover.",
    ),
  'agent-grace': duration(0)
    .optional()
    .describe('For how long the agent must be lost before a master that answers is left. Default: 2s.'),
});

const program = () => z.array(z.string().min(1)).min(1);

const promote = z
  .strictObject({
    user: z.string().min(1).optional().describe('Account that may set read_only and replication.'),
    password: z.string().optional().describe('Its password. Default: none.'),
    replication: z
      .strictObject({
        user: z.string().min(1).optional().describe('Account that slaves log in to their master with.'),
        password: z.string().optional().describe('Its password. Default: none.'),
      })
      .meta(requires('user'))
      .optional()
      .describe('With it, other servers are made slaves of a new master. Default: that is left to you.'),
    'max-lag': duration(0)
      .optional()
      .describe('A slave that was further behind when the master died is not promoted. Default: 5s.'),
    'apply-wait': duration(1)
      .optional()
      .describe('For a slave to execute all that it has received. Default: 30s.'),
    'block-for': duration(0)
      .optional()
      .describe('After a promotion there is none by itself for so long. Default: 1h.'),
    'require-fence': z
      .boolean()
      .optional()
      .describe('A dead master is replaced only where hooks.fence ends with 0. Default: true.'),
    'hook-timeout': duration(1).optional().describe('Longest time of one hook. Default: 30s.'),
    hooks: z
      .strictObject({
        pre: program().optional().describe('Before anything is done; not 0: nothing is.'),
        fence: program().optional().describe('Makes sure that a dead master stays dead.'),
        promote: program().optional().describe('Makes the slave the master. Default: by SQL.'),
        post: program().optional().describe('After a promotion.'),
        failed: program().optional().describe('After one that failed.'),
      })
      .optional()
      .describe('Programs with their arguments, run without a shell.'),
  })
  .meta(requires('user'));

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
    bind: listOf(clientBind(), 1)
      .optional()
      .describe(
        'Addresses that lead to the master, and without it to a slave, read-only; "accept-proxy" behind one as in frontends.',
      ),
    'bind-ro': listOf(clientBind(), 1)
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
    registry: registry.optional().describe('What the registry says of the nodes of servers.'),
    promote: promote.optional().describe('How a slave is made the master, in failover mode promote.'),
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
