import { isObject, type JsonObject } from './json-values.ts';

export type Variables = Map<string, unknown>;

/**
 * A value with its variables replaced: `${name}`, `${name+5}`, and a text that is nothing but `${#name}` becomes a
 * number. The shape stays, so the type does. Throws for a variable that nobody has set.
 */
export function filled<T>(value: T, variables: Variables): T {
  return replaced(value, variables) as T;
}

function replaced(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') {
    const [, number] = /^\$\{#([^}]+)\}$/.exec(value) ?? [];
    if (number !== undefined) return Number(resolved(number, variables));
    return value.replace(/\$\{([^}]+)\}/g, (_, expression: string) => resolved(expression, variables));
  }
  if (Array.isArray(value)) return value.map((each) => replaced(each, variables));
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const [key, each] of Object.entries(value))
    out[replacedText(key, variables)] = replaced(each, variables);
  return out;
}

function replacedText(text: string, variables: Variables): string {
  return String(replaced(text, variables));
}

function resolved(expression: string, variables: Variables): string {
  if (variables.has(expression)) return String(variables.get(expression));
  const [, name = '', sign, amount = '0'] = /^(.+?)([+-])(\d+)$/.exec(expression) ?? [];
  if (!variables.has(name)) throw new Error(`unknown variable \${${expression}}`);
  const base = BigInt(String(variables.get(name)));
  return String(sign === '-' ? base - BigInt(amount) : base + BigInt(amount));
}
