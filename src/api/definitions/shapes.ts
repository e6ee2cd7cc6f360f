import { list, struct } from '../consul/decode.ts';
import { CHECK, SERVICE } from '../consul/requests.ts';

/**
 * What definition files may say (Consul 1.9: agent/config ServiceDefinition, CheckDefinition): the fields of the API's
 * requests, but that a check is the same inside a service and outside.
 */
export const FILE_CHECK = CHECK;

export const FILE_SERVICE = struct('ServiceDefinition', {
  ...SERVICE.fields,
  Check: FILE_CHECK,
  Checks: list(FILE_CHECK),
});

/** A whole file. */
export const FILE = struct('Config', {
  Service: FILE_SERVICE,
  Services: list(FILE_SERVICE),
  Check: FILE_CHECK,
  Checks: list(FILE_CHECK),
});

/** The one key of files that is not the field's own name: its short form, which Consul documents. */
const SHORT: ReadonlyMap<string, string> = new Map([['ScriptArgs', 'args']]);

/** `EnableTagOverride` as files have it: `enable_tag_override`. */
export function fileKey(field: string): string {
  const short = SHORT.get(field);
  if (short !== undefined) return short;
  return field
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** Whether a key of a file means the field, in snake or camel case: `enable_tag_override`, `EnableTagOverride`. */
export function means(key: string, field: string): boolean {
  return bare(key) === field.toLowerCase() || bare(key) === bare(fileKey(field));
}

function bare(key: string): string {
  return key.replaceAll('_', '').toLowerCase();
}
