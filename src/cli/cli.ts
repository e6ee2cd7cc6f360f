import { Command, CommanderError } from 'commander';
import { jsonSchema } from '../config/json-schema.ts';
import { check } from './check.ts';
import { run } from './run.ts';
import { version } from './version.ts';

/** Exit codes: all is well, the configuration is not, the command line is not. */
const GOOD = 0;
const WRONG_USAGE = 2;

/** Runs one command line, without the names of Node and of the script. Resolves to the exit code; never rejects. */
export async function runCli(args: readonly string[]): Promise<number> {
  let code = GOOD;
  const program = new Command('vane')
    .description('A load balancer whose servers are names, with a Consul-compatible registry built in.')
    .exitOverride()
    .showHelpAfterError()
    .enablePositionalOptions();
  const file = ['-f, --file <path>', 'configuration: a YAML file, or a folder of them'] as const;
  program
    .command('run')
    .description('run until told to stop (TERM or INT stop gracefully, HUP reloads the file)')
    .requiredOption(...file)
    .action(async (options: { file: string }) => {
      code = await run(options.file);
    });
  program
    .command('check')
    .description('say what is wrong with a configuration; exit code 1 if anything is')
    .requiredOption(...file)
    .action(async (options: { file: string }) => {
      code = await check(options.file);
    });
  program
    .command('schema')
    .description('print the JSON Schema of the configuration, for editors')
    .action(() => console.log(JSON.stringify(jsonSchema(), null, 2)));
  program
    .command('version')
    .description('print the version')
    .action(() => console.log(`vane ${version()}`));
  program.version(`vane ${version()}`, '-V, --version');
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version that were asked for end here, too.
    return error.exitCode === 0 ? GOOD : WRONG_USAGE;
  }
}
