import { type GtidState, mariadbGtids, mysqlGtids } from '../failover/gtid.ts';
import type { Reading, Replication } from '../failover/server-facts.ts';

/** A row as the driver gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** Asked once, at login. */
export const VERSION_QUERY = 'SELECT @@version AS version';

export interface Flavor {
  readonly flavor: 'mariadb' | 'mysql';
  readonly version: string;
  readonly variables: string;
  readonly replicas: string;
  /** Lets hosts in again that were shut out (error 1129); needs the grant RELOAD, or DROP on that table. */
  readonly unblock: string;
}

/** What to ask a server of this version. */
export function flavorOf([row]: readonly Row[]): Flavor {
  const version = String(row?.version ?? '');
  if (/mariadb/i.test(version)) {
    const variables = 'SELECT @@global.read_only AS ro, @@gtid_binlog_state AS bs, @@gtid_slave_pos AS sp';
    return { flavor: 'mariadb', version, variables, replicas: 'SHOW SLAVE STATUS', unblock: 'FLUSH HOSTS' };
  }
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  const number = major * 10_000 + minor * 100 + patch;
  const superReadOnly = number >= 50_708 ? ', @@global.super_read_only AS sro' : '';
  const offline = number >= 50_705 ? ', @@global.offline_mode AS offline' : '';
  const variables = `SELECT @@global.read_only AS ro${superReadOnly}${offline}, @@global.gtid_executed AS g`;
  return {
    flavor: 'mysql',
    version,
    variables,
    replicas: number >= 80_022 ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS',
    unblock: number >= 80_023 ? 'TRUNCATE TABLE performance_schema.host_cache' : 'FLUSH HOSTS',
  };
}

/** Makes a reading of the answers; columns go by name, as their order and number change with every version. */
export function readingOf(
  { flavor, version }: Flavor,
  [variables = {}]: readonly Row[],
  [replica]: readonly Row[],
): Reading {
  return {
    flavor,
    version,
    readOnly: isOn(variables.ro) || isOn(variables.sro) || isOn(variables.offline),
    gtid: gtidOf(flavor, variables),
    replication: replica && replicationOf(replica),
  };
}

function gtidOf(flavor: Reading['flavor'], row: Row): GtidState | undefined {
  return flavor === 'mariadb' ? mariadbGtids(text(row.bs), text(row.sp)) : mysqlGtids(text(row.g));
}

function replicationOf(row: Row): Replication {
  const io = text(row.Replica_IO_Running ?? row.Slave_IO_Running).toLowerCase();
  const sql = text(row.Replica_SQL_Running ?? row.Slave_SQL_Running).toLowerCase();
  const behind = row.Seconds_Behind_Source ?? row.Seconds_Behind_Master;
  const error = text(row.Last_SQL_Error) || text(row.Last_IO_Error);
  return {
    io: io === 'yes' || io === 'connecting' ? io : 'no',
    sql: sql === 'yes',
    lag: behind === null || behind === undefined ? undefined : Number(behind) * 1000,
    error,
  };
}

function isOn(value: unknown): boolean {
  return value === 1 || /^(?:1|on|no_lock.*)$/i.test(text(value));
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}
