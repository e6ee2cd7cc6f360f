import { describe, expect, test } from 'vitest';
import { localChannel } from '../../../../src/proxy/plane/channel.ts';
import { settle } from '../../../helpers/fake-clock.ts';

const collect = (id: number) => ({ type: 'collect', id }) as const;
const drained = (cut: number) => ({ type: 'drained', cut }) as const;

function setUp() {
  const { control, plane } = localChannel();
  const atPlane: unknown[] = [];
  const atControl: unknown[] = [];
  return { control, plane, atPlane, atControl };
}

describe('localChannel', () => {
  test('brings messages in the order they were sent, both ways', async () => {
    const { control, plane, atPlane, atControl } = setUp();
    plane.onMessage((message) => atPlane.push(message));
    control.onMessage((message) => atControl.push(message));
    for (const id of [1, 2, 3]) control.post(collect(id));
    for (const cut of [4, 5]) plane.post(drained(cut));
    await settle();
    expect(atPlane).toEqual([1, 2, 3].map(collect));
    expect(atControl).toEqual([4, 5].map(drained));
  });

  test('never while one is being sent', async () => {
    const { control, plane, atPlane } = setUp();
    plane.onMessage((message) => atPlane.push(message));
    control.post(collect(1));
    expect(atPlane).toEqual([]);
    await settle();
    expect(atPlane).toHaveLength(1);
  });

  test('nor inside another: what is sent from a listener waits until it has returned', async () => {
    const { control, plane } = setUp();
    const story: string[] = [];
    plane.onMessage((message) => {
      story.push(`begin ${message.type}`);
      if (message.type === 'drain') control.post(collect(1));
      plane.post(drained(0));
      story.push(`end ${message.type}`);
    });
    control.onMessage(({ type }) => {
      story.push(type);
    });
    control.post({ type: 'drain', withinMs: 0 });
    await settle();
    expect(story.filter((line) => line !== 'drained')).toEqual([
      'begin drain',
      'end drain',
      'begin collect',
      'end collect',
    ]);
    expect(story.indexOf('drained')).toBeGreaterThan(story.indexOf('end drain'));
    expect(story.filter((line) => line === 'drained')).toHaveLength(2);
  });

  test('keeps what is sent before anyone listens for the first who does', async () => {
    const { control, plane, atPlane } = setUp();
    control.post(collect(1));
    await settle();
    const cancel = plane.onMessage((message) => atPlane.push(message));
    expect(atPlane).toEqual([]);
    await settle();
    cancel();
    control.post(collect(2));
    await settle();
    expect(atPlane).toEqual([collect(1)]);
    plane.onMessage((message) => atPlane.push(message));
    await settle();
    expect(atPlane).toEqual([collect(1), collect(2)]);
  });

  test('a listener that stops in the middle gets no more; the next one gets the rest', async () => {
    const { control, plane, atPlane } = setUp();
    const cancel = plane.onMessage((message) => {
      atPlane.push(message);
      cancel();
    });
    for (const id of [1, 2]) control.post(collect(id));
    await settle();
    expect(atPlane).toEqual([collect(1)]);
    plane.onMessage((message) => atPlane.push(message));
    await settle();
    expect(atPlane).toEqual([collect(1), collect(2)]);
  });

  test('a cancelled listener does not take the place of the one after it', async () => {
    const { control, plane, atPlane } = setUp();
    const cancel = plane.onMessage(() => expect.unreachable());
    plane.onMessage((message) => atPlane.push(message));
    cancel();
    control.post(collect(1));
    await settle();
    expect(atPlane).toHaveLength(1);
  });

  test.each(['control', 'plane'] as const)('closed by the %s, brings nothing either way', async (end) => {
    const ends = setUp();
    const { control, plane, atPlane, atControl } = ends;
    plane.onMessage((message) => atPlane.push(message));
    control.onMessage((message) => atControl.push(message));
    control.post(collect(1));
    plane.post(drained(1));
    ends[end].close();
    control.post(collect(2));
    plane.post(drained(2));
    await settle();
    expect(atPlane).toEqual([]);
    expect(atControl).toEqual([]);
  });
});
