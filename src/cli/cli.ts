import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { jsonSchema } from '../config/json-schema.ts';
import { check } from './check.ts';
import { processContext, runConsul } from './consul/command.ts';
import { KV_COMMANDS } from './consul/kv.ts';
import { REGISTRY_COMMANDS } from './consul/registry.ts';
import { SERVICE_COMMANDS } from './consul/services.ts';
import { watch } from './consul/watch.ts';
import { mysqlVipStatus } from './mysql-vip.ts';
import { parsePid } from './pid-file.ts';
import { type ReloadOptions, reload } from './reload.ts';
import { run } from './run.ts';
import { version } from './version.ts';

/** Exit codes: all is well, the configuration is not, the command line is not. */
const GOOD = 0;
const WRONG_USAGE = 2;

/** What asks a registry: called as Consul's commands are, so that their words are not commander's to read. */
const REGISTRY_CLIENTS: readonly (readonly [
  name: string,
  description: string,
  commands: Parameters<typeof runConsul>[1],
])[] = [
  ['services', 'register, deregister and list services of a running registry', SERVICE_COMMANDS],
  ['kv', 'read and write keys of a running registry: get, put, delete, export, import', KV_COMMANDS],
  ['watch', 'follow keys, services, nodes, checks or events of a running registry', watch],
  ['registry', 'save all that a running registry holds into a file, and restore it', REGISTRY_COMMANDS],
];

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
    .description(
      'run until told to stop (TERM or INT stop gracefully, HUP reloads the file, USR2 replaces workers)',
    )
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
  const reloading = program
    .command('reload')
    .description('have a running vane read its configuration again, without a request that fails')
    .option('--workers', 'replace its worker processes instead, by what is installed now')
    .option('--pid <number>', 'the process', (text) => {
      const pid = parsePid(text);
      if (pid === undefined) throw new InvalidArgumentError('It is not a process id.');
      return pid;
    })
    .option('--pidfile <path>', 'file that holds the process id')
    .option('-f, --file <path>', 'configuration that names this file as global.pidfile')
    .action(async (options: ReloadOptions) => {
      const ways = [options.pid, options.pidfile, options.file].filter((way) => way !== undefined);
      if (ways.length !== 1) reloading.error('error: say which process: --pid, --pidfile or --file');
      code = await reload(options);
    });
  program
    .command('mysql-vip')
    .description('ask a running vane about its mysql-vip sections')
    .command('status')
    .description('say where each leads, and what is known of its servers')
    .requiredOption(...file)
    .option('--json', 'as JSON')
    .action(async (options: { file: string; json?: true }) => {
      code = await mysqlVipStatus(options.file, options);
    });
  for (const [name, description, commands] of REGISTRY_CLIENTS) {
    program
      .command(name)
      .description(description)
      .argument('[words...]', 'as those of consul: flags such as -http-addr=127.0.0.1:8500 first')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (words: readonly string[]) => {
        code = await runConsul(name, commands, words, processContext());
      });
  }
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
