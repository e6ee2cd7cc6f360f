import { expect, test } from 'vitest';
import { nameNews } from '../../../src/control/name-news.ts';
import { VaneError } from '../../../src/core/errors.ts';

test('a name that somebody else had to be asked for is not said to be resolved in part', () => {
  const error = new VaneError('RESOLVE_FAILED', 'looked up at dns, as http://127.0.0.1:8500 cannot be asked');
  expect(nameNews('web.service.consul', { kind: 'gap', error })).toEqual({
    source: 'discovery',
    says: 'web.service.consul resolves with a reservation',
    why: error.message,
  });
});
