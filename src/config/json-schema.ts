import { z } from 'zod';
import { userConfig } from './schema/user-config.ts';

/** A JSON Schema, as far as this room reads it. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly description?: string;
}

/**
 * The user's YAML as JSON Schema, for editors: completion, hover texts, first checks. Draft 7 is what the YAML
 * language servers understand best.
 */
export function jsonSchema(): object {
  return {
    title: 'Vane configuration',
    ...z.toJSONSchema(userConfig, { io: 'input', target: 'draft-7' }),
  };
}
