import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { addClusterCommands } from './cluster-commands.ts';
import type { runConsul } from './consul/command.ts';
import { addMysqlVipCommands } from './mysql-vip-commands.ts';
import { parsePid } from './pid-file.ts';
import type { ReloadOptions } from './reload.ts';
import { SERVER_STATES } from './server-states.ts';
import { addTableCommands } from './table-commands.ts';
import { version } from './version.ts';

/** Exit codes: all is well, the configuration is not, the command line is not. */
const GOOD = 0;
const WRONG_USAGE = 2;

// What a command needs is loaded when it is called: most need little of Vane, and all of it takes a second to load.

/** What asks a registry: called as Consul's commands are, so that their words are not commander's to read. */
const REGISTRY_CLIENTS: readonly (readonly [
  name: string,
  description: string,
  load: () => Promise<Parameters<typeof runConsul>[1]>,
])[] = [
  [
    'services',
    'register, deregister and list services of a running registry',
    async () => (await import('./consul/services.ts')).SERVICE_COMMANDS,
  ],
  [
    'kv',
    'read and write keys of a running registry: get, put, delete, export, import',
    async () => (await import('./consul/kv.ts')).KV_COMMANDS,
  ],
  [
    'watch',
    'follow keys, services, nodes, checks or events of a running registry',
    async () => (await import('./consul/watch.ts')).watch,
  ],
  [
    'registry',
    'save all that a running registry holds into a file, and restore it',
    async () => (await import('./consul/registry.ts')).REGISTRY_COMMANDS,
  ],
];

/** Runs one command line, without the names of Node and of the script. Resolves to the exit code; never rejects. */
export async function runCli(args: readonly string[]): Promise<number> {
  let code = GOOD;
  const program = new Command('vane')
    .description('A load balancer whose servers are names, with a Consul-compatible registry built in.')
    .exitOverride()
    .showHelpAfterError()
    .enablePositionalOptions();
  const file = [
    '-f, --file <path>',
    'configuration: a YAML file, a folder of them, or kv://host:port/key',
  ] as const;
  program
    .command('run')
    .description(
      'run until told to stop (TERM or INT stop gracefully, HUP reloads the file, USR2 replaces workers)',
    )
    .requiredOption(...file)
    .action(async (options: { file: string }) => {
      const { run } = await import('./run.ts');
      code = await run(options.file);
    });
  program
    .command('check')
    .description('say what is wrong with a configuration; exit code 1 if anything is')
    .requiredOption(...file)
    .action(async (options: { file: string }) => {
      const { check } = await import('./check.ts');
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
      const { reload } = await import('./reload.ts');
      code = await reload(options);
    });
  addMysqlVipCommands(program, file, (exit) => {
    code = exit;
  });
  addClusterCommands(program, file, (exit) => {
    code = exit;
  });
  addTableCommands(program, file, (exit) => {
    code = exit;
  });
  program
    .command('explain')
    .description('say why the servers of a backend are in or out: what discovery, health and operators said')
    .argument('<backend>')
    .argument('[server]', 'its name or address')
    .requiredOption(...file)
    .option('--json', 'as JSON')
    .action(async (backend: string, server: string | undefined, options: { file: string; json?: true }) => {
      const { explain } = await import('./explain.ts');
      code = await explain(backend, server, options);
    });
  program
    .command('server')
    .description('take a server out of use, gently (drain, maint), or put it back (ready)')
    .argument('<backend/server>', 'a server by its name or address', (text) => {
      if (/^[^/]+\/./.test(text)) return text;
      throw new InvalidArgumentError('It is not BACKEND/SERVER.');
    })
    .addArgument(new Argument('<state>', 'what it is to be').choices(SERVER_STATES))
    .requiredOption(...file)
    .option('--reason <text>', 'why, for its history')
    .option('--cluster', 'on every node that shares the registry, and after restarts, too')
    .action(
      async (
        target: string,
        state: (typeof SERVER_STATES)[number],
        options: { file: string; reason?: string; cluster?: true },
      ) => {
        const { setServer } = await import('./server.ts');
        code = await setServer(target, state, options);
      },
    );
  for (const [name, description, load] of REGISTRY_CLIENTS) {
    program
      .command(name)
      .description(description)
      .argument('[words...]', 'as those of consul: flags such as -http-addr=127.0.0.1:8500 first')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (words: readonly string[]) => {
        const { processContext, runConsul } = await import('./consul/command.ts');
        code = await runConsul(name, await load(), words, processContext());
      });
  }
  program
    .command('schema')
    .description('print the JSON Schema of the configuration, for editors')
    .action(async () => {
      const { jsonSchema } = await import('../config/json-schema.ts');
      console.log(JSON.stringify(jsonSchema(), null, 2));
    });
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
