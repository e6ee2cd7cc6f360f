import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { jsonSchema } from '../../../src/config/json-schema.ts';

const REGENERATE =
  'node -e "import(\'./src/config/json-schema.ts\').then((m) => console.log(JSON.stringify(m.jsonSchema())))" > docs/vane.schema.json && biome format --write docs/vane.schema.json';

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Every key of the schema, by its path. */
function keysOf(schema: Schema, path: string): readonly [string, Schema][] {
  const named = Object.entries(schema.properties ?? {}).map(([key, value]): [string, Schema] => [
    `${path}.${key}`,
    value,
  ]);
  const inner: [string, Schema][] = [
    ...named,
    ...(schema.anyOf ?? []).map((branch): [string, Schema] => [path, branch]),
  ];
  if (schema.items) inner.push([`${path}[]`, schema.items]);
  if (typeof schema.additionalProperties === 'object') inner.push([`${path}.*`, schema.additionalProperties]);
  return [...named, ...inner.flatMap(([at, value]) => keysOf(value, at))];
}

describe('JSON Schema', () => {
  test('the file in docs is fresh', () => {
    const committed: unknown = JSON.parse(
      readFileSync(new URL('../../../docs/vane.schema.json', import.meta.url), 'utf8'),
    );
    expect(committed, `regenerate it: ${REGENERATE}`).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
  });

  test('every key is described, in the schema and in docs/configuration.md', () => {
    const reference = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    const keys = keysOf(jsonSchema(), '');
    expect(keys.length).toBeGreaterThan(60);
    for (const [path, { description }] of keys) {
      expect(description, path).toMatch(/^\S.*\.$/s);
      expect(reference, path).toContain(`\`${path.split('.').at(-1)}\``);
    }
  });
});
