import { createHash } from 'node:crypto';

/** Colours say nothing that words do not say as well. */
export const STYLE = `
:root { color-scheme: light dark; --line: #d5d9de; --soft: #f3f5f7; --quiet: #5b6572; --good: #18794e; --bad: #c62a2f;
  --warn: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --soft: #22262b; --quiet: #a3acb8; --good: #4cc38a; --bad: #ff6369; --warn: #f1a10d; }
}
body { font: 13px/1.45 system-ui, sans-serif; margin: 1.2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
p { margin: .2rem 0; }
nav a { margin-right: 1rem; }
.quiet { color: var(--quiet); }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.warn { color: var(--warn); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: right; white-space: nowrap; }
th { background: var(--soft); font-weight: 600; }
th[scope=col] { vertical-align: bottom; }
th[scope=col]:not(.text) { white-space: normal; }
th.text, td.text { text-align: left; }
td.why { text-align: left; white-space: normal; min-width: 14rem; max-width: 30rem; overflow-wrap: anywhere; }
tr.total td { font-weight: 600; }
`;

/** Only this style, no script, nothing from elsewhere, and in nobody's frame. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');
