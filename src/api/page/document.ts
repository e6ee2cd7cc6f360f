import { Html, type HtmlValue, html } from './html.ts';
import { STYLE } from './style.ts';

/** A whole page. @param head of its own, beside title and style */
export function page(title: string, body: HtmlValue, head?: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${head}
<title>${title}: Vane</title>
<style>${AS_IT_STANDS}</style>
</head>
<body>
${body}
</body>
</html>
`.text;
}

/** Its hash is what the browser is told to let through. */
const AS_IT_STANDS = new Html(STYLE);
