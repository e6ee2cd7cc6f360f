import { createRequire } from 'node:module';
import type { Connection, ConnectionOptions } from 'mysql2';

const require = createRequire(import.meta.url);

/** mysql2's connection. The driver, some 10 MB of memory, is loaded with the first: most Vanes lead to no MySQL. */
export function createConnection(options: ConnectionOptions): Connection {
  const driver: typeof import('mysql2') = require('mysql2');
  return driver.createConnection(options);
}
