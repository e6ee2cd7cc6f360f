import { ConfigError } from '../config/problem.ts';
import { loadPresent } from './configuration/configuration.ts';
import { definitionsHere } from './configuration/here.ts';

/** Says whether a configuration can be used: problems on standard error, one a line. Resolves to the exit code. */
export async function check(path: string): Promise<number> {
  try {
    const config = await loadPresent(path);
    const { frontends, backends, mysqlVips } = config;
    const { services, checks } = await definitionsHere(config);
    const parts = [counted(frontends, 'frontend'), counted(backends, 'backend')];
    if (mysqlVips.length > 0) parts.push(counted(mysqlVips, 'MySQL VIP'));
    if (services.length > 0) parts.push(counted(services, 'service definition'));
    if (checks.length > 0) parts.push(counted(checks, 'check definition'));
    console.log(`${path} is a good configuration: ${parts.join(', ')}.`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 1;
  }
}

function counted({ length }: readonly unknown[], noun: string): string {
  return `${length} ${noun}${length === 1 ? '' : 's'}`;
}
