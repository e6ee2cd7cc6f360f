import type { MysqlServerView, MysqlVipView } from '../../../mysql/view.ts';
import { type Html, html } from '../../page/html.ts';
import { count, duration, milliseconds } from '../../page/words.ts';

const GOOD = new Set(['MASTER', 'PROMOTED']);

export function mysqlVipSection(vip: MysqlVipView): Html {
  const { name, phase, reason, age, epoch, target, waitsFor, frozenFor, paused, alarms, sessions, held } =
    vip;
  return html`
<h2 id="mysql-vip-${name}">mysql-vip ${name}
<span class="${GOOD.has(phase) ? 'good' : 'warn'}">${phase}</span>
<small class="quiet">for ${duration(age)}, ${epoch === undefined ? 'not agreed on' : `epoch ${epoch}`}</small></h2>
<p>Clients are led to ${target ? html`<b>${target}</b>` : html`<span class="bad">nobody</span>`}: ${reason}.
${count(sessions)} sessions, ${count(held)} held.</p>
${paused ? html`<p class="warn">Paused: new clients are held.</p>` : undefined}
${frozenFor === undefined ? undefined : html`<p class="warn">Frozen: nobody is led elsewhere.</p>`}
${waitsFor === undefined ? undefined : html`<p class="quiet">Waits for: ${waitsFor}</p>`}
${alarms.map(({ kind, why }) => html`<p class="bad">${kind}: ${why}</p>`)}
<div class="scroll"><table>
<tr><th class="text" scope="col">Server</th><th class="text" scope="col">Role</th><th class="text" scope="col">Address</th>
<th class="text" scope="col">Status</th><th class="text" scope="col">Writable</th><th scope="col">Lag</th>
<th scope="col">Sessions</th><th scope="col">read-only</th><th class="text" scope="col">Trouble</th></tr>
${vip.servers.map(serverLine)}
</table></div>`;
}

function serverLine({
  id,
  role,
  address,
  up,
  writable,
  drained,
  lag,
  sessions,
  trouble,
}: MysqlServerView): Html {
  const status = up === undefined ? 'unknown' : up ? 'UP' : 'DOWN';
  return html`<tr><th class="text" scope="row">${id}</th><td class="text">${role}</td><td class="text">${address}</td>
<td class="text ${up ? 'good' : 'bad'}">${status}${drained ? ', drained' : ''}</td>
<td class="text">${writable ? 'yes' : 'no'}</td><td>${lag === undefined ? '–' : milliseconds(lag)}</td>
<td>${count(sessions.rw)}</td><td>${count(sessions.ro)}</td><td class="why">${trouble}</td></tr>`;
}
