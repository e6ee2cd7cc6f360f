import { ConfigError } from '../config/problem.ts';
import { loadHere } from './load.ts';

/** Says whether a configuration can be used: problems on standard error, one a line. Resolves to the exit code. */
export async function check(path: string): Promise<number> {
  try {
    const { frontends, backends } = await loadHere(path);
    console.log(
      `${path} is a good configuration: ${counted(frontends, 'frontend')}, ${counted(backends, 'backend')}.`,
    );
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
