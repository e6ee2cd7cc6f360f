import { describe, expect, test } from 'vitest';
import { parseAgentReply } from '../../../src/health/agent-reply.ts';

describe('what an agent says', () => {
  test.each([
    ['75%', { weight: { percent: 75 } }],
    ['weight:50%', { weight: { percent: 50 } }],
    ['weight:50', { weight: { weight: 50 } }],
    ['weight:999', { weight: { weight: 256 } }],
    ['0%', { weight: { percent: 0 } }],
    ['maxconn:30', { maxconn: 30 }],
    ['drain', { mode: 'drain' }],
    ['MAINT', { mode: 'maint' }],
    ['up ready 100%', { health: 'up', mode: 'ready', weight: { percent: 100 } }],
    ['down#disk full', { health: 'down', why: 'disk full' }],
    ['stopped,\tmaxconn:5 # going home', { health: 'stopped', maxconn: 5, why: 'going home' }],
    ['fail future-word:9', { health: 'fail' }],
    ['up#\x1b[31m red', { health: 'up', why: '[31m red' }],
  ])('%j', (line, reply) => expect(parseAgentReply(line)).toEqual(reply));

  test.each(['', 'hello', '75', '-5%', 'weight:', '# up', 'HTTP/1.1 400 Bad Request'])(
    '%j is nothing that counts',
    (line) => expect(parseAgentReply(line)).toBeUndefined(),
  );
});
