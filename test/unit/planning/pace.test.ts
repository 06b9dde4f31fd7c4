import { describe, expect, it } from 'vitest';
import type { DeviceCost } from '../../../src/planning/cost-model.ts';
import { diskLeft, Pacer } from '../../../src/planning/pace.ts';

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
  const volume: DeviceCost = { operationMs: 1 / 3, byteMs: 8e-6, rule: 'max' };
  const options = { blockBytes: 8_192, residentsFraction: 0.2, readers: 3 };
  const mib = { operations: 1, bytes: 2 ** 20 };
  const mibMs = 2 ** 20 * 8e-6;
  /** What all readers together take for the next step. */
  const msOf = (pacer: Pacer, step: typeof mib, { cost = volume, readers = 3 } = {}) =>
    (pacer.next('part', step, cost)!.msPerBlock * step.bytes) / 8_192 / readers;

  it('takes all readers together so long that their part is left', () => {
    expect(msOf(new Pacer(options), mib)).toBeCloseTo(mibMs / 0.8);
    const half = new Pacer({ ...options, residentsFraction: 0.5, readers: 1 });
    expect(msOf(half, mib, { readers: 1 })).toBeCloseTo(mibMs / 0.5);
  });

  it('counts places where they are what the disk has too few of', () => {
    expect(msOf(new Pacer(options), { operations: 100, bytes: 100 * 8_192 })).toBeCloseTo(100 / 3 / 0.8);
  });

  it('lets steps that use up operations run beside steps that use up bytes', () => {
    const sparse = { operations: 300, bytes: 300 * 8_192 };
    const dense = { operations: 1, bytes: 10e6 };
    const pacer = new Pacer(options);
    let ms = 0;
    for (let i = 0; i < 50; i++) ms += msOf(pacer, sparse) + msOf(pacer, dense);
    const both = 50 * Math.max((300 + 10e6 / 131_072) / 3, (sparse.bytes + dense.bytes) * 8e-6);
    expect(ms / (both / 0.8)).toBeGreaterThan(0.95);
    expect(ms / (both / 0.8)).toBeLessThan(1.05);
    const seeks = { cost: { ...volume, rule: 'sum' } as const };
    expect(msOf(new Pacer(options), sparse, seeks)).toBeCloseTo((100 + sparse.bytes * 8e-6) / 0.8);
  });

  it('asks for small pieces, larger ones of a disk on which places are dear', () => {
    const quota = { operationMs: 5, byteMs: 8e-6, rule: 'max' } as const;
    const pieces = (cost: DeviceCost, blockBytes = 8_192) =>
      new Pacer({ ...options, blockBytes }).next('part', mib, cost)?.pieceBlocks;
    expect(pieces(volume)).toBe(16);
    expect(pieces(volume, 16_384)).toBe(8);
    expect(pieces(quota)).toBe(153);
    expect(pieces({ ...quota, rule: 'sum' })).toBe(305);
    expect(pieces({ ...quota, byteMs: 5e-8 })).toBe(512);
  });

  it('is none where nothing is left, and full in pieces where the disk is measured', () => {
    const pacer = new Pacer(options);
    expect(pacer.next('nothing', mib, volume)).toBeUndefined();
    expect(pacer.next('turns', mib, volume)).toEqual({ msPerBlock: 0, pieceBlocks: 64 });
  });

  it('is kept by shorter steps, so that a statement ends in time', () => {
    const pacer = new Pacer(options);
    const limits = { wantedBlocks: 1_024, predictedMs: 1_000, spans: 7 };
    expect(pacer.bounds('nothing', limits)).toEqual(limits);
    expect(pacer.bounds('part', limits)).toEqual({ wantedBlocks: 256, predictedMs: 800 / 3, spans: 7 });
    expect(pacer.bounds('turns', { ...limits, wantedBlocks: 9 }).wantedBlocks).toBe(9);
  });
});
