/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  readonly name: string;
  /** All that follows the name, with comments taken out. */
  readonly text: string;
}

export interface Stage {
  readonly from: string;
  readonly as: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, each from its FROM on. */
export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: { from: string; as: string | undefined; instructions: Instruction[] }[] = [];
  for (const { name, text } of instructionsOf(dockerfile)) {
    const [from = '', , as] = text.split(/\s+/);
    if (name === 'FROM') stages.push({ from, as, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, text });
  }
  return stages;
}

/** The words of an instruction in exec form; undefined for the shell form. */
export function execForm(text: string): readonly string[] | undefined {
  const start = text.indexOf('[');
  if (start < 0) return undefined;
  const words: unknown = JSON.parse(text.slice(start));
  return Array.isArray(words) ? words.map(String) : undefined;
}

function instructionsOf(dockerfile: string): readonly Instruction[] {
  const lines = dockerfile.split('\n').filter((line) => !/^\s*#/.test(line));
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', text = ''] = line.match(/^\s*(\S+)\s+(.*?)\s*$/) ?? [];
      return { name: name.toUpperCase(), text };
    });
}
