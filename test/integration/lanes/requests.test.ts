import { expect, test } from 'vitest';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

describeLanes('requests as servers get them', (create) => {
  test('without a body: no framing, the target and the fields as they came', async () => {
    const { client, origin } = await startRig(create);
    const c = await client();
    c.send(
      'GET /a?b=1 HTTP/1.1\r\nHost: w\r\nX-Two: 1\r\nACCEPT: */*\r\nx-tWO: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\n',
    );
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    const [request] = origin.requests;
    expect(request?.raw).toBe(
      'GET /a?b=1 HTTP/1.1\r\nHost: w\r\nX-Two: 1\r\nX-Two: 2\r\nACCEPT: */*\r\nConnection: keep-alive\r\n\r\n',
    );
    expect(values(answer, 'content-length')).toEqual(['2']);
  });
});
