import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

// The shape of scenarios/*.json; README.md says what each part is for.

const httpRequest = z.strictObject({
  method: z.string().optional(),
  path: z.string(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
  rawBody: z.string().optional(),
  bodyBase64: z.string().optional(),
  bodyRepeat: z.strictObject({ text: z.string(), count: z.number() }).optional(),
  timeoutMs: z.number().optional(),
});

const dnsQuery = z.strictObject({
  name: z.string(),
  type: z.string(),
  transport: z.enum(['udp', 'tcp']).optional(),
  edns: z.number().optional(),
  rd: z.boolean().optional(),
  opcode: z.number().optional(),
});

const condition = z.strictObject({
  get not() {
    return condition.optional();
  },
  rcode: z.string().optional(),
  path: z.string().optional(),
  equals: z.unknown().optional(),
  exists: z.boolean().optional(),
  length: z.number().optional(),
  contains: z.string().optional(),
});

const route = z.strictObject({
  status: z.number().optional(),
  body: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
});

const numbers = z.array(z.number());
const texts = z.array(z.string());

/** What a step does, besides `repeat` and `blocking`, which hold steps themselves. */
const actions = {
  http: httpRequest.optional(),
  dns: dnsQuery.optional(),
  dnsCollect: dnsQuery.extend({ count: z.number(), pick: z.enum(['first', 'all']) }).optional(),
  sleep: z.number().optional(),
  waitUntil: z
    .strictObject({
      http: httpRequest.optional(),
      dns: dnsQuery.optional(),
      until: condition,
      timeoutMs: z.number().optional(),
      everyMs: z.number().optional(),
    })
    .optional(),
  serve: route
    .extend({
      name: z.string(),
      kind: z.enum(['http', 'tcp']),
      routes: z.record(z.string(), route).optional(),
    })
    .optional(),
  serveSet: route.extend({ name: z.string(), clearLog: z.boolean().optional() }).optional(),
  serveStop: z.strictObject({ name: z.string() }).optional(),
  serveStart: z.strictObject({ name: z.string() }).optional(),
  serveLog: z
    .strictObject({
      name: z.string(),
      atLeast: z.number().optional(),
      fields: texts.optional(),
      count: z.boolean().optional(),
      range: numbers.optional(),
    })
    .optional(),
  script: z
    .strictObject({
      name: z.string(),
      exit: z.number().optional(),
      output: z.string().optional(),
      sleep: z.number().optional(),
      repeat: z.number().optional(),
      tail: z.string().optional(),
    })
    .optional(),
  relate: z.array(z.tuple([z.string(), z.string()])).optional(),
};

const plainStep = z.strictObject({
  ...actions,
  id: z.string().optional(),
  capture: z.record(z.string(), z.string()).optional(),
  record: z.boolean().optional(),
  as: z.literal('text').optional(),
  only: z.string().optional(),
  at: z.string().optional(),
  pick: texts.optional(),
  pickEach: texts.optional(),
  headers: texts.optional(),
  sort: texts.optional(),
  kind: texts.optional(),
  mask: z.array(z.tuple([z.string(), z.string()])).optional(),
  any: texts.optional(),
  counts: z.record(z.string(), numbers).optional(),
  timing: numbers.optional(),
  fits: z.number().optional(),
  text: z.boolean().optional(),
  size: z.boolean().optional(),
});

/** A step, and what those that hold steps have besides. */
export interface Step extends z.infer<typeof plainStep> {
  repeat?: { as: string; from: number; to: number; steps: Step[] } | undefined;
  blocking?: { http: HttpRequest; steps: Step[]; withinMs: number; answer?: false | undefined } | undefined;
}

const steps = z.array(z.lazy((): z.ZodType<Step> => step));
const step: z.ZodType<Step> = plainStep.extend({
  repeat: z.strictObject({ as: z.string(), from: z.number(), to: z.number(), steps }).optional(),
  blocking: z
    .strictObject({ http: httpRequest, steps, withinMs: z.number(), answer: z.literal(false).optional() })
    .optional(),
});

const scenario = z.strictObject({
  name: z.string(),
  prefix: z.string(),
  slow: z.boolean().optional(),
  limitMs: z.number().optional(),
  any: texts.optional(),
  steps: steps.min(1),
  cleanup: steps.optional(),
});

const scenarioFile = z.strictObject({ group: z.string(), scenarios: z.array(scenario) });
const recordingFile = z.strictObject({
  group: z.string(),
  answers: z.record(z.string(), z.record(z.string(), z.unknown())),
});

export type HttpRequest = z.infer<typeof httpRequest>;
export type DnsQuery = z.infer<typeof dnsQuery>;
export type Condition = z.infer<typeof condition>;
export type Route = z.infer<typeof route>;
export type Scenario = z.infer<typeof scenario>;
/** The answers of one scenario, by the id of the step. */
export type Answers = Readonly<Record<string, unknown>>;

export interface Group {
  /** Of its files, without the ending. */
  readonly name: string;
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

const KINDS = [...Object.keys(actions), 'repeat', 'blocking'];

function refuseUnclear(steps: readonly Step[], where: string): void {
  for (const [at, each] of steps.entries()) {
    const kinds = KINDS.filter((kind) => kind in each);
    if (kinds.length !== 1) throw new Error(`${where}: step ${at + 1} is to do one thing, not [${kinds}]`);
    refuseUnclear(each.repeat?.steps ?? each.blocking?.steps ?? [], where);
  }
}

/** Throws for a file that is not of the shape above, and for names and prefixes that come twice. */
export function readGroups(folder: string): readonly Group[] {
  const groups = jsonFiles(folder).map((path) => {
    const file = parsed(path, scenarioFile);
    return { name: basename(path, '.json'), title: file.group, scenarios: file.scenarios };
  });
  const seen = new Set<string>();
  for (const { name, prefix, steps, cleanup = [] } of groups.flatMap(({ scenarios }) => scenarios)) {
    refuseUnclear([...steps, ...cleanup], name);
    for (const word of [name, prefix]) {
      if (seen.has(word)) throw new Error(`${folder}: ${word} is used twice`);
      seen.add(word);
    }
  }
  return groups;
}

/** By the name of the scenario. */
export function readRecordings(folder: string): ReadonlyMap<string, Answers> {
  return new Map(jsonFiles(folder).flatMap((path) => Object.entries(parsed(path, recordingFile).answers)));
}

function jsonFiles(folder: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => join(folder, name));
}

function parsed<T>(path: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!result.success) throw new Error(`${path}: ${z.prettifyError(result.error)}`);
  return result.data;
}
