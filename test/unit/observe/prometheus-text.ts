/** One line of values. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly series: readonly Series[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const SERIES = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (\\S+)$`);
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;

/**
 * Prometheus' text format 0.0.4 without leniency: every family has one HELP and one TYPE and stands in one piece,
 * no series comes twice, values are numbers, a histogram is whole. Throws at the first fault.
 */
export function parsePrometheus(text: string): ReadonlyMap<string, ParsedFamily> {
  if (text === '') return new Map();
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, { type: string; help: string; series: Series[] }>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let current: { name: string; family: { type: string; series: Series[] } } | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, helpName, helpText] = HELP.exec(line) ?? [];
    if (helpName !== undefined && helpText !== undefined) {
      help = { name: helpName, text: helpText };
      continue;
    }
    const [, typeName, type] = TYPE.exec(line) ?? [];
    if (typeName !== undefined && type !== undefined) {
      if (help?.name !== typeName) throw new Error(`no HELP before ${line}`);
      if (families.has(typeName)) throw new Error(`${typeName} comes twice`);
      const family = { type, help: help.text, series: [] };
      families.set(typeName, family);
      current = { name: typeName, family };
      continue;
    }
    const series = parseSeries(line);
    if (!current || !belongs(series.name, current.name, current.family.type)) {
      throw new Error(`not among its family: ${line}`);
    }
    const identity = line.slice(0, line.lastIndexOf(' '));
    if (seen.has(identity)) throw new Error(`series comes twice: ${identity}`);
    seen.add(identity);
    if (current.family.type === 'counter' && !(series.value >= 0))
      throw new Error(`counter below 0: ${line}`);
    current.family.series.push(series);
  }
  for (const [name, { type, series }] of families) if (type === 'histogram') checkHistogram(name, series);
  return families;
}

function parseSeries(line: string): Series {
  const [, name, labels = '', value] = SERIES.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not understood: ${line}`);
  if (!VALUE.test(value)) throw new Error(`not a value: ${line}`);
  const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, key = '', quoted = '']) => [key, unquoted(quoted)] as const,
  );
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error(`label twice: ${line}`);
  return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')) };
}

function unquoted(quoted: string): string {
  return quoted.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function belongs(name: string, family: string, type: string): boolean {
  if (type !== 'histogram') return name === family;
  return ['_bucket', '_sum', '_count'].some((suffix) => name === `${family}${suffix}`);
}

function checkHistogram(name: string, series: readonly Series[]): void {
  const without = ({ labels: { le: _le, ...rest } }: Series) => JSON.stringify(rest);
  for (const [labels, all] of Map.groupBy(series, without)) {
    const buckets = all.filter((one) => one.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)));
    const counts = buckets.map(({ value }) => value);
    const rising = (numbers: readonly number[]) =>
      numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? 0));
    const count = all.find((one) => one.name === `${name}_count`)?.value;
    const sum = all.find((one) => one.name === `${name}_sum`)?.value;
    if (!rising(bounds) || !rising(counts) || bounds.at(-1) !== Infinity)
      throw new Error(`buckets of ${labels}`);
    if (counts.at(-1) !== count || sum === undefined) throw new Error(`sum and count of ${labels}`);
  }
}
