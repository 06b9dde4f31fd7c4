import { describe, expect, it } from 'vitest';
import type { DeviceCost } from '../../../src/planning/cost-model.ts';
import { boundsLeaving, diskLeft, paceOf } from '../../../src/planning/pace.ts';

const residents = {
  residentsFraction: 0.2,
  readsPerStatement: 0.03,
  deviceKnown: true,
  arrived: false,
  untilDeadlineMs: null,
  remainingMs: 1_000,
};

describe('what residents are left of the disk', () => {
  it.each([
    ['they read from it', {}, 'part'],
    ['they find all in the pool', { readsPerStatement: 0 }, 'nothing'],
    ['a statement in 1,000 reads', { readsPerStatement: 0.001 }, 'nothing'],
    ['what they read is unknown', { readsPerStatement: null }, 'nothing'],
    ['nobody wants that', { residentsFraction: 0 }, 'nothing'],
    ['the disk was not measured yet', { deviceKnown: false }, 'turns'],
    ['the VM is here', { arrived: true, readsPerStatement: 0, untilDeadlineMs: 0 }, 'part'],
    ['the VM is here, and nobody wants that', { arrived: true, residentsFraction: 0 }, 'nothing'],
    ['the deadline leaves time', { untilDeadlineMs: 1_300 }, 'part'],
    ['the deadline needs the whole disk', { untilDeadlineMs: 1_200 }, 'nothing'],
    ['the deadline has passed', { untilDeadlineMs: -1 }, 'nothing'],
  ])('where %s', (_, changed, expected) => {
    expect(diskLeft({ ...residents, ...changed })).toBe(expected);
  });
});

describe('the pace of a step', () => {
  const volume = { operationMs: 1 / 3, byteMs: 8e-6, rule: 'max' } as const;
  const options = { cost: volume, blockBytes: 8_192, residentsFraction: 0.2, readers: 3 };
  const step = { operations: 1, bytes: 2 ** 20 };

  it('takes all readers together so long that their part is left', () => {
    const aloneMs = 2 ** 20 * 8e-6;
    const atOnce = paceOf('part', step, options)!;
    expect((atOnce.msPerBlock * 128) / 3).toBeCloseTo(aloneMs / 0.8);
    const half = paceOf('part', step, { ...options, residentsFraction: 0.5, readers: 1 })!;
    expect(half.msPerBlock * 128).toBeCloseTo(aloneMs / 0.5);
  });

  it('counts places where they are what the disk has too few of', () => {
    const { msPerBlock } = paceOf('part', { operations: 100, bytes: 100 * 8_192 }, options)!;
    expect((msPerBlock * 100) / 3).toBeCloseTo(100 / 3 / 0.8);
  });

  it('asks for small pieces, larger ones of a disk on which places are dear', () => {
    const quota = { operationMs: 5, byteMs: 8e-6, rule: 'max' } as const;
    const pieces = (cost: DeviceCost, blockBytes = 8_192) =>
      paceOf('part', step, { ...options, cost, blockBytes })?.pieceBlocks;
    expect(pieces(volume)).toBe(16);
    expect(pieces(volume, 16_384)).toBe(8);
    expect(pieces(quota)).toBe(76);
    expect(pieces({ ...quota, rule: 'sum' })).toBe(305);
    expect(pieces({ ...quota, byteMs: 5e-8 })).toBe(512);
  });

  it('is none where nothing is left, and full in pieces where the disk is measured', () => {
    expect(paceOf('nothing', step, options)).toBeUndefined();
    expect(paceOf('turns', step, options)).toEqual({ msPerBlock: 0, pieceBlocks: 64 });
  });

  it('is kept by shorter steps, so that a statement ends in time', () => {
    const limits = { wantedBlocks: 1_024, predictedMs: 1_000, spans: 7 };
    expect(boundsLeaving('nothing', limits, options)).toEqual(limits);
    const bounds = { wantedBlocks: 256, predictedMs: 800 / 3, spans: 7 };
    expect(boundsLeaving('part', limits, options)).toEqual(bounds);
    expect(boundsLeaving('turns', { ...limits, wantedBlocks: 9 }, options).wantedBlocks).toBe(9);
  });
});
