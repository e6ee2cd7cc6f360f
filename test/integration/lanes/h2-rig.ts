import { systemClock } from '../../../src/core/clock.ts';
import { H2Lane } from '../../../src/proxy/lanes/h2/lane.ts';
import type { LaneUnderTest } from './lane-rig.ts';

/** Streams at once that the lane under test lets a client have. */
export const MAX_STREAMS = 100;

/** The lane for HTTP/2: its clients agree on that. */
export const H2: LaneUnderTest = {
  create: (host) => new H2Lane(host, { clock: systemClock }, () => MAX_STREAMS),
  tls: true,
  alpn: ['h2', 'http/1.1'],
};

/** The fields of a plain request, for clients that send frames. */
export const GET = [':method', 'GET', ':scheme', 'https', ':authority', 'w.example', ':path', '/'];
