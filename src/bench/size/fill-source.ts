import type { AppVm } from '../../lab/app-vm.ts';
import { type Site, tableOf } from '../../lab/experiment/site.ts';
import { systemClock } from '../../lib/clock.ts';

/** Missing blocks within half a second below which an application has all that it reads in the pool. */
const settledBlocks = 8;

/** Lets a VM read at the source as fast as it can until it finds everything there, for `limitMs` at most. */
export async function fillFrom(site: Site, vm: AppVm, limitMs: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs;
  vm.pace(undefined);
  const misses = () => site.source.misses(tableOf(vm.name));
  let before = await misses();
  for (let quiet = 0; quiet < 3 && systemClock.monotonicMs() < endMs; ) {
    await systemClock.sleep(500);
    const now = await misses();
    // Before its first reads it misses nothing either.
    quiet = now > 0 && now - before < settledBlocks ? quiet + 1 : 0;
    before = now;
  }
}
