import type { Outcome } from '../measure.ts';
import { rowsOf } from './statistics.ts';

const COLORS: Readonly<Record<string, string>> = {
  haproxy: '#9aa5b1',
  nginx: '#5b9a68',
  vane: '#2f6fde',
  'http-proxy-3': '#e09f3e',
  'fastify-http-proxy': '#9e6fc4',
  'node-relay': '#c2ccd6',
};

const BAR = 14;
const GAP = 18;
const HEAD = 64;
const LEFT = 230;
const WIDTH = 860;
const SCALE_WIDTH = WIDTH - LEFT - 60;

/** Work per CPU-second as a multiple of HAProxy's, a group of bars for each scenario: an SVG image. */
export function chart(outcomes: readonly Outcome[]): string {
  const groups = outcomes
    .filter(({ scenario }) => scenario.compared === 'perCpuSecond')
    .map((outcome) => ({
      title: outcome.scenario.title,
      bars: rowsOf(outcome).flatMap(({ peer, title, toHaproxy }) =>
        toHaproxy === undefined ? [] : [{ peer, title, value: toHaproxy.median }],
      ),
    }))
    .filter(({ bars }) => bars.length > 0);
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  const x = (value: number) => LEFT + (value / most) * SCALE_WIDTH;
  const parts: string[] = [];
  let y = HEAD;
  for (const { title, bars } of groups) {
    parts.push(text(LEFT - 12, y + (bars.length * BAR) / 2 + 4, title, 'end', 600));
    for (const { peer, title: name, value } of bars) {
      const label = `${title}, ${name}: ${value.toFixed(2)}`;
      parts.push(
        `<rect x="${LEFT}" y="${y + 1}" width="${(x(value) - LEFT).toFixed(1)}" height="${BAR - 2}" fill="${COLORS[peer] ?? '#888'}"><title>${escapeXml(label)}</title></rect>`,
        text(x(value) + 5, y + BAR - 3, value.toFixed(2), 'start'),
      );
      y += BAR;
    }
    y += GAP;
  }
  const line = `<line x1="${x(1)}" y1="${HEAD - 6}" x2="${x(1)}" y2="${y - GAP + 6}" stroke="#5c6773" stroke-dasharray="3 3"/>`;
  const body = [legend(groups.flatMap(({ bars }) => bars)), ...parts, line].join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Work per CPU-second, HAProxy = 1">
<rect width="100%" height="100%" fill="#fff"/>
${text(12, 22, 'Work per CPU-second, HAProxy = 1; more is better', 'start', 600)}
${body}
</svg>
`;
}

function legend(bars: readonly { peer: string; title: string }[]): string {
  let x = 12;
  const seen = new Map(bars.map(({ peer, title }) => [peer, title]));
  return [...seen]
    .map(([peer, title]) => {
      const part = `<rect x="${x}" y="34" width="10" height="10" fill="${COLORS[peer] ?? '#888'}"/>${text(x + 15, 43, title, 'start')}`;
      x += 34 + title.length * 7;
      return part;
    })
    .join('\n');
}

function text(x: number, y: number, content: string, anchor: 'start' | 'end', weight = 400): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" fill="#1f2933">${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
