import { systemClock } from '../lib/clock.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { MigrationRun } from './migration-run.ts';

/** How long an arrival waits for what the VM touched last: its own first reads would be those. */
const lastDeltaMs = 1_000;

/** The source's newest work set; the last one while the source is away, for blocks beat a profile, or does not answer in time. */
export async function followSource(
  ask: () => Promise<SourceAnswer>,
  last: SourceAnswer,
  { run, stop }: { readonly run: MigrationRun; readonly stop: AbortSignal },
): Promise<SourceAnswer> {
  if (stop.aborted || run.arrived.aborted) return last;
  const asked = ask().catch((error: unknown) => {
    const why = { error: (error as Error).message };
    run.logger.debug(why, 'the source did not answer; its last work set serves');
    return last;
  });
  // A source that is silent must hold up neither an arrival nor the end of the agent.
  const settled = new AbortController();
  const late = new Promise<SourceAnswer>((resolve) => {
    const giveUp = () => resolve(last);
    stop.addEventListener('abort', giveUp, { once: true, signal: settled.signal });
    run.arrived.addEventListener(
      'abort',
      () => void systemClock.sleep(lastDeltaMs, settled.signal).then(giveUp),
      {
        once: true,
        signal: settled.signal,
      },
    );
  });
  const fresh = await Promise.race([asked, late]);
  settled.abort();
  return fresh.origin === 'profile' && last.origin === 'agent' ? last : fresh;
}
