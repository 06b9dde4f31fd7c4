import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TargetShare } from '../../../src/agent/target-share.ts';

const pool = (free: number) => ({
  known: true,
  poolBlocks: free,
  freeBlocks: free,
  blocksByHeat: [0, 0, 0, 0, 0, 0],
});
const share = (slots = 1) => new TargetShare({ maxPoolFraction: 1, slots });

describe('TargetShare.budget', () => {
  it('gives one migration all that it needs', () => {
    const place = share().join('a', null);
    expect(place.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 })).toMatchObject({
      blocks: 80,
      provisional: false,
    });
    expect(place.outdated).toBe(false);
  });

  it('lets the first plan anew when a second comes and room is scarce, and splits evenly then', () => {
    const target = share();
    const first = target.join('a', null);
    const second = target.join('b', null);
    first.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 });
    const early = second.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 });
    expect(early).toMatchObject({ blocks: 20, provisional: true });
    expect(first.outdated).toBe(true);
    expect(first.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 }).blocks).toBe(50);
    expect(second.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 })).toMatchObject({
      blocks: 50,
      provisional: false,
    });
  });

  it('takes nothing back that was read', () => {
    const target = share();
    const first = target.join('a', null);
    first.budget(pool(100), { heldBlocks: 0, missingBlocks: 80 });
    first.spend(80);
    const second = target.join('b', null);
    // The pool counts what the first has read as cold.
    const counted = { ...pool(100), freeBlocks: 20, blocksByHeat: [0, 80, 0, 0, 0, 0] };
    expect(second.budget(counted, { heldBlocks: 0, missingBlocks: 80 })).toMatchObject({
      blocks: 20,
      provisional: false,
    });
  });

  it('forgets what was read before the server started anew', () => {
    let now = 0;
    const clock = { now: () => new Date(now), monotonicMs: () => now, sleep: async () => {} };
    const target = new TargetShare({ maxPoolFraction: 1, slots: 1, clock });
    const full = { known: true, poolBlocks: 100, freeBlocks: 0, blocksByHeat: [20, 30, 0, 20, 0, 30] };
    const needs = { heldBlocks: 0, missingBlocks: 80 };
    const before = target.join('a', null);
    expect(before.budget(full, needs).blocks).toBe(50);
    before.spend(50);
    before.leave();
    now = 5_000;
    expect(target.probe({ ...full, upMs: 6_000 }, needs).blocks).toBe(0);
    expect(target.probe({ ...full, upMs: 4_000 }, needs).blocks).toBe(50);
  });

  it('does not take for cold what its own reading has cooled, until residents had time to use it again', () => {
    let now = 0;
    const clock = { now: () => new Date(now), monotonicMs: () => now, sleep: async () => {} };
    const place = new TargetShare({ maxPoolFraction: 1, slots: 1, clock }).join('a', null);
    const full = (blocksByHeat: readonly number[]) => ({
      ...{ known: true, poolBlocks: 100, freeBlocks: 0, blocksByHeat },
    });
    expect(place.budget(full([20, 10, 0, 40, 0, 30]), { heldBlocks: 0, missingBlocks: 50 }).blocks).toBe(30);
    place.spend(30);
    // Two turns of the clock's hand later: 30 of its own, and 40 of the residents' that were used three times.
    const cooled = full([0, 70, 0, 30, 0, 0]);
    const again = place.budget(cooled, { heldBlocks: 30, missingBlocks: 20 });
    expect(again).toMatchObject({ blocks: 0, provisional: false });
    expect(again.reason).toContain('30 were read within a minute');
    now = 61_000;
    expect(place.budget(cooled, { heldBlocks: 30, missingBlocks: 20 }).blocks).toBe(20);
  });

  it('fills what is free whatever was read before, as after a restart of the server', () => {
    const place = share().join('a', null);
    place.budget(pool(100), { heldBlocks: 0, missingBlocks: 90 });
    place.spend(90);
    expect(place.budget(pool(100), { heldBlocks: 0, missingBlocks: 90 }).blocks).toBe(90);
  });

  it('is never over the pool, whoever comes and reads in whichever order', () => {
    const steps = fc.array(fc.record({ who: fc.nat(4), missing: fc.nat(120), read: fc.nat(100) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const target = share();
        const places = [0, 1, 2, 3, 4].map((n) => target.join(`m${n}`, null));
        const held = [0, 0, 0, 0, 0];
        const granted = [0, 0, 0, 0, 0];
        for (const { who, missing, read } of list) {
          const used = held.reduce((sum, n) => sum + n, 0);
          const counted = { ...pool(100), freeBlocks: 100 - used, blocksByHeat: [0, used, 0, 0, 0, 0] };
          const budget = places[who]!.budget(counted, { heldBlocks: held[who]!, missingBlocks: missing });
          granted[who] = Math.min(budget.blocks, missing);
          const blocks = Math.min(read, granted[who]);
          places[who]!.spend(blocks);
          held[who]! += blocks;
          granted[who] -= blocks;
          const spoken = [...held, ...granted].reduce((sum, n) => sum + n, 0);
          expect(spoken).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});

describe('TargetShare.turn', () => {
  it('lets as many read at once as there are slots', async () => {
    const place = share(2).join('a', null);
    const [first] = await Promise.all([place.turn(), place.turn()]);
    let third = false;
    const waiting = place.turn().then((end) => {
      third = true;
      return end;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(third).toBe(false);
    first();
    (await waiting)();
    expect(third).toBe(true);
  });

  it('prefers the VM that has arrived, then the earliest deadline', async () => {
    const target = share(1);
    const late = target.join('late', 2_000);
    const soon = target.join('soon', 1_000);
    const here = target.join('here', 3_000);
    here.arrive();
    const end = await late.turn();
    const order: string[] = [];
    const take = (name: string, place: typeof late) =>
      place.turn().then((done) => {
        order.push(name);
        done();
      });
    const all = [take('late', late), take('soon', soon), take('here', here)];
    end();
    await Promise.all(all);
    expect(order).toEqual(['here', 'soon', 'late']);
  });

  it('counts the time of steps that read together once', async () => {
    let now = 0;
    const clock = { now: () => new Date(now), monotonicMs: () => now, sleep: async () => {} };
    const place = new TargetShare({ maxPoolFraction: 1, slots: 2, clock }).join('a', null);
    const first = await place.turn();
    const second = await place.turn();
    now = 100;
    const alone = first();
    now = 150;
    expect(alone).toBe(50);
    expect(second()).toBe(100);
  });
});
