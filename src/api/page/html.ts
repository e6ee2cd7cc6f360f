/** A piece of HTML in which everything that came from outside is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

/** HTML as written, with the values escaped, in texts and in quoted attributes alike. Undefined is nothing. */
export function html(literals: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = '';
  for (let i = 0; i < literals.length; i++) text += (literals[i] ?? '') + escaped(values[i]);
  return new Html(text);
}

function escaped(value: HtmlValue): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return value.map(escaped).join('');
}
