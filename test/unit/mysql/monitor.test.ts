import { describe, expect, test } from 'vitest';
import { failureOf } from '../../../src/mysql/monitor/failure.ts';
import { flavorOf, readingOf } from '../../../src/mysql/monitor/reading.ts';

function failure(code: string, errno?: number): Error {
  return Object.assign(new Error(code), { code, ...(errno === undefined ? {} : { errno }) });
}

describe('a failed probe', () => {
  test.each([
    ['ECONNREFUSED', -111, 'dead'],
    ['ECONNRESET', -104, 'dead'],
    ['PROTOCOL_CONNECTION_LOST', undefined, 'dead'],
    ['ER_SERVER_SHUTDOWN', 1053, 'dead'],
    ['ETIMEDOUT', undefined, 'timeout'],
    ['EHOSTUNREACH', -113, 'timeout'],
    ['ER_CON_COUNT_ERROR', 1040, 'overloaded'],
    ['ER_TOO_MANY_USER_CONNECTIONS', 1203, 'overloaded'],
    ['ER_HOST_IS_BLOCKED', 1129, 'blocked'],
    ['ER_ACCESS_DENIED_ERROR', 1045, 'misconfigured'],
    ['ER_NOT_SUPPORTED_AUTH_MODE', 1251, 'misconfigured'],
    ['EMFILE', -24, 'misconfigured'],
  ])('with %s (%s) is %s', (code, errno, kind) => {
    expect(failureOf(failure(code, errno)).class).toBe(kind);
  });
});

describe('a reading', () => {
  test('of MariaDB: columns by name, whatever else there is', () => {
    const flavor = flavorOf([{ version: '10.11.19-MariaDB-0+deb12u1' }]);
    expect(flavor.replicas).toBe('SHOW SLAVE STATUS');
    const reading = readingOf(
      flavor,
      [{ ro: 1, bs: '0-1-17', sp: '0-1-17' }],
      [
        {
          Slave_IO_Running: 'Connecting',
          Slave_SQL_Running: 'Yes',
          Seconds_Behind_Master: null,
          Last_IO_Error: 'gone',
        },
      ],
    );
    expect(reading).toMatchObject({
      flavor: 'mariadb',
      readOnly: true,
      replication: { io: 'connecting', sql: true, lag: undefined, error: 'gone' },
    });
  });

  test.each([
    ['8.4.3', 'SHOW REPLICA STATUS'],
    ['8.0.22', 'SHOW REPLICA STATUS'],
    ['8.0.21-log', 'SHOW SLAVE STATUS'],
    ['5.7.44', 'SHOW SLAVE STATUS'],
  ])('of MySQL %s by %s', (version, replicas) => {
    expect(flavorOf([{ version }])).toMatchObject({ flavor: 'mysql', replicas });
  });

  test('of MySQL: super_read_only and offline_mode are read-only as well', () => {
    const flavor = flavorOf([{ version: '8.4.3' }]);
    const replica = { Replica_IO_Running: 'Yes', Replica_SQL_Running: 'No', Seconds_Behind_Source: 7 };
    expect(readingOf(flavor, [{ ro: 0, sro: 1, offline: 0, g: '' }], [replica])).toMatchObject({
      readOnly: true,
      gtid: undefined,
      replication: { io: 'yes', sql: false, lag: 7_000 },
    });
    expect(readingOf(flavor, [{ ro: 0, sro: 0, offline: 1, g: '' }], []).readOnly).toBe(true);
    expect(readingOf(flavor, [{ ro: 0, sro: 0, offline: 0, g: '' }], [])).toMatchObject({
      readOnly: false,
      replication: undefined,
    });
  });

  test('MySQL before 5.7 is not asked for what it does not know', () => {
    expect(flavorOf([{ version: '5.6.51' }]).variables).not.toContain('super_read_only');
    expect(flavorOf([{ version: '5.7.44' }]).variables).toContain('super_read_only');
  });
});
