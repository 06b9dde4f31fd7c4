import type { Stage } from '../lab/experiment/site.ts';
import { OwnedProcesses } from '../lab/owned-processes.ts';
import { describeError } from '../lib/errors.ts';
import type { CommandContext } from './context.ts';
import { stageBar, stageLines } from './terminal/stage-progress.ts';

/**
 * Does work that starts servers: shows its stages on stderr, and takes down all that it started at the end,
 * and at once when it is told to end.
 */
export async function runInLab<T>(
  context: CommandContext,
  stages: readonly Stage[],
  work: (owned: OwnedProcesses, onStage: (stage: Stage) => void) => Promise<T>,
): Promise<T> {
  context.drains = true;
  const owned = new OwnedProcesses({ handleSignals: false });
  const view = process.stderr.isTTY ? await stageBar(stages, process.stderr) : stageLines(context.err);
  let onAbort = () => {};
  const ended = new Promise<never>((_, reject) => {
    onAbort = () => reject(context.signal.reason);
    context.signal.addEventListener('abort', onAbort, { once: true });
    if (context.signal.aborted) onAbort();
  });
  const working = work(owned, (stage) => view.enter(stage));
  try {
    return await Promise.race([working, ended]);
  } catch (error) {
    if (context.signal.aborted) context.err('\nforewarm: taking everything down\n');
    // What is still under way fails when its servers go; that is no news.
    working.catch(() => {});
    throw error;
  } finally {
    context.signal.removeEventListener('abort', onAbort);
    ended.catch(() => {});
    view.stop();
    await owned.dispose().catch((error: unknown) => {
      context.err(`forewarm: not everything could be taken down: ${describeError(error).message}\n`);
    });
  }
}
