import { z } from 'zod';
import { userConfig } from './schema/user-config.ts';

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
