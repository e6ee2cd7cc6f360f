import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Crowd, type Member } from '../../../../src/proxy/plane/crowd.ts';

test('has those that were added and not deleted, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 200 }), (choices) => {
      const crowd = new Crowd<Member>();
      const present: Member[] = [];
      for (const choice of choices) {
        const [gone] = choice % 2 === 0 ? present.splice(choice % Math.max(1, present.length), 1) : [];
        if (gone) crowd.delete(gone);
        else {
          const member = { place: -1 };
          present.push(member);
          crowd.add(member);
        }
        expect(crowd.size).toBe(present.length);
        expect(new Set(crowd.all)).toEqual(new Set(present));
        expect(crowd.all.every((member, i) => member.place === i)).toBe(true);
      }
    }),
  );
});

test('may change while all that were in it are gone through', () => {
  const crowd = new Crowd<Member>();
  for (let i = 0; i < 5; i++) crowd.add({ place: -1 });
  for (const member of crowd.all) crowd.delete(member);
  expect(crowd.size).toBe(0);
});
