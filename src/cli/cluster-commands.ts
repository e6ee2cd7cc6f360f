import type { Command } from 'commander';

/** `vane members` and `vane cluster status`. `exit` takes their exit codes. */
export function addClusterCommands(
  program: Command,
  file: readonly [flags: string, description: string],
  exit: (code: number) => void,
): void {
  program
    .command('members')
    .description('list the nodes that share the registry of a running vane')
    .requiredOption(...file)
    .option('--json', 'as JSON')
    .action(async (options: { file: string; json?: true }) => {
      const { members } = await import('./cluster.ts');
      exit(await members(options.file, options));
    });
  program
    .command('cluster')
    .description('ask a running vane about the registry that it shares')
    .command('status')
    .description('say who leads, how far this node is behind, and who is there')
    .requiredOption(...file)
    .option('--json', 'as JSON')
    .action(async (options: { file: string; json?: true }) => {
      const { clusterStatus } = await import('./cluster.ts');
      exit(await clusterStatus(options.file, options));
    });
}
