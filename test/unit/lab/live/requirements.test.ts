import { expect, test } from 'vitest';
import {
  type Machine,
  missingForLiveGuests,
  requireLiveGuests,
} from '../../../../src/lab/live/requirements.ts';

/** A machine that has everything: what a test takes away from it is not there to be tried. */
const whole: Machine = {
  ...{ platform: 'linux', arch: 'x64', root: true, canOpen: () => true },
  find: async (program) => [`/usr/bin/${program}`],
  tryNetwork: async () => {},
  locateQemu: async () => {},
};

test('a machine that has everything lacks nothing', async () => {
  expect(await missingForLiveGuests(whole)).toEqual([]);
  await requireLiveGuests(whole);
});

test('all that is missing is told at once, and nothing is tried then', async () => {
  const bare: Machine = {
    ...{ ...whole, root: false, canOpen: () => false, find: async () => [] },
    tryNetwork: () => Promise.reject(new Error('was tried')),
    locateQemu: () => Promise.reject(new Error('could not fetch qemu-system-x86 by apt-get')),
  };
  const error = await requireLiveGuests(bare).catch((caught: Error) => caught);
  expect(error).toMatchObject({ code: 'lab_unavailable', hint: expect.stringContaining('--live') });
  for (const part of [
    'needs root',
    'program ip (Debian: iproute2)',
    'nsenter',
    '/dev/net/tun',
    'qemu-system-x86',
  ])
    expect(error?.message).toContain(part);
  expect(error?.message).not.toContain('was tried');
});

test('what a kernel refuses is told in its words', async () => {
  const refused: Machine = {
    ...whole,
    tryNetwork: () => Promise.reject(new Error('unshare failed: Operation not permitted')),
  };
  expect(await missingForLiveGuests(refused)).toEqual([
    expect.stringMatching(/no bridge with a card.*Operation not permitted/),
  ]);
});

test('another processor is told first of all', async () => {
  expect(await missingForLiveGuests({ ...whole, arch: 'arm64' })).toEqual([expect.stringContaining('arm64')]);
});
