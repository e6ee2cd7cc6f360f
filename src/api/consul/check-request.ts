import type { CheckRequest } from '../../registry/commands.ts';
import type { CheckDefinition, CheckKind, CheckStatus } from '../../registry/model.ts';
import { Refusal } from './refusal.ts';
import { type CheckKinds, SERVICE_CHECK, type ServiceCheckBody } from './requests.ts';
import { refuseControlCharacters } from './validate.ts';

/** Bytes of output that a check may ask to have kept: it is held in memory and sent to everybody. */
const LARGEST_OUTPUT = 64 * 1024;

/** Who may have programs run: `api` lets requests do it. */
export type ScriptChecks = 'off' | 'files' | 'api';

/** A check of a service without any content is no check (Consul: CheckType.Empty). */
export function isEmptyCheck(check: ServiceCheckBody): boolean {
  const values: Readonly<Record<string, unknown>> = check;
  return Object.entries(SERVICE_CHECK.zero).every(([name, zero]) => values[name] === zero);
}

/** Consul's CheckType.Validate: undefined when the check is sound. */
export function checkProblem(check: CheckKinds): string | undefined {
  const isUdp = check.UDP !== '';
  const probes = isScript(check) || check.HTTP !== '' || check.TCP !== '' || isUdp || check.GRPC !== '';
  const alias = isAlias(check);
  if (check.Interval > 0 && check.TTL > 0) return 'Interval and TTL cannot both be specified';
  if (probes && check.Interval <= 0) return isUdp ? NO_UDP_INTERVAL : NO_INTERVAL;
  if (probes && alias) return 'Interval cannot be set for Alias checks';
  if (alias && check.TTL > 0) return 'TTL must be not be set for Alias checks';
  if (!probes && !alias && check.TTL <= 0) return 'TTL must be > 0 for TTL checks';
  if (check.OutputMaxSize < 0) return 'MaxOutputMaxSize must be positive';
  return headerProblem(check);
}

const NO_INTERVAL = 'Interval must be > 0 for Script, HTTP, or TCP checks';
/** The words of the Consul that has UDP checks. */
const NO_UDP_INTERVAL = 'Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks';

/** What would break the request the check sends. */
function headerProblem(check: CheckKinds): string | undefined {
  if (check.Method !== '' && !TOKEN.test(check.Method))
    return `Method ${JSON.stringify(check.Method)} is not valid`;
  for (const [name, values] of Object.entries(check.Header ?? {})) {
    if (!TOKEN.test(name)) return `Header name ${JSON.stringify(name)} is not valid`;
    if (values?.some((value) => NOT_A_FIELD_VALUE.test(value))) return `Header ${name} has an invalid value`;
  }
  return undefined;
}

/** RFC 9110 section 5.6.2: token. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for (RFC 9110 section 5.5).
const NOT_A_FIELD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/** Turns a sound check ({@link checkProblem}) into the registry's request. Throws where scripts are not allowed. */
export function checkRequest(
  check: CheckKinds & { readonly Name: string; readonly Notes: string },
  id: string,
  status: CheckStatus | undefined,
  scriptChecks: ScriptChecks,
): CheckRequest {
  refuseControlCharacters({ 'check ID': id, 'check name': check.Name });
  const kind = kindOf(check);
  if ((kind.kind === 'script' || kind.kind === 'docker') && scriptChecks !== 'api') {
    throw new Refusal(
      500,
      "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
    );
  }
  return {
    id: id === '' ? undefined : id,
    name: check.Name === '' ? undefined : check.Name,
    notes: check.Notes,
    status,
    type: kind.kind,
    definition: definitionOf(check, kind),
  };
}

/** Which of several kinds counts, in Consul's order. */
function kindOf(check: CheckKinds): CheckKind {
  if (check.HTTP !== '') {
    return {
      kind: 'http',
      url: check.HTTP,
      method: check.Method === '' ? 'GET' : check.Method,
      header: headerOf(check),
      body: check.Body,
      tlsSkipVerify: check.TLSSkipVerify,
    };
  }
  if (check.TTL > 0) return { kind: 'ttl' };
  if (check.TCP !== '') return { kind: 'tcp', address: check.TCP };
  if (check.UDP !== '') return { kind: 'udp', address: check.UDP };
  if (check.GRPC !== '') {
    return {
      kind: 'grpc',
      target: check.GRPC,
      useTls: check.GRPCUseTLS,
      tlsSkipVerify: check.TLSSkipVerify,
    };
  }
  if (isAlias(check)) return { kind: 'alias', node: check.AliasNode, serviceId: check.AliasService };
  const program = { args: check.ScriptArgs ?? [], shell: check.Shell };
  if (check.DockerContainerID === '') return { kind: 'script', ...program };
  return { kind: 'docker', container: check.DockerContainerID, ...program };
}

/** Most checks have none, and there can be very many of them. */
const NO_HEADER: Readonly<Record<string, readonly string[]>> = {};

function headerOf({ Header }: CheckKinds): Readonly<Record<string, readonly string[]>> {
  const given = Object.entries(Header ?? {});
  if (given.length === 0) return NO_HEADER;
  const header: Record<string, readonly string[]> = Object.create(null);
  for (const [name, values] of given) header[name] = values ?? [];
  return header;
}

/** What is left out stays 0: whoever runs the check knows the defaults. */
function definitionOf(check: CheckKinds, kind: CheckKind): CheckDefinition {
  return {
    kind,
    interval: wholeMs(check.Interval),
    timeout: wholeMs(check.Timeout),
    ttl: wholeMs(check.TTL),
    successBeforePassing: Math.max(0, check.SuccessBeforePassing),
    failuresBeforeCritical: Math.max(0, check.FailuresBeforeCritical),
    deregisterCriticalServiceAfter: wholeMs(check.DeregisterCriticalServiceAfter),
    outputMaxSize: Math.min(check.OutputMaxSize, LARGEST_OUTPUT),
  };
}

/** Never negative, and never rounds a positive duration down to none. */
function wholeMs(ms: number): number {
  return Math.max(0, Math.ceil(ms));
}

function isScript(check: CheckKinds): boolean {
  return (check.ScriptArgs?.length ?? 0) > 0;
}

function isAlias(check: CheckKinds): boolean {
  return check.AliasNode !== '' || check.AliasService !== '';
}

/** The three words a check may be registered with. */
export function isCheckStatus(word: string): word is CheckStatus {
  return word === 'passing' || word === 'warning' || word === 'critical';
}
