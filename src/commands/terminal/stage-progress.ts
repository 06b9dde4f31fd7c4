import type { Stage } from '../../lab/experiment/site.ts';
import { systemClock } from '../../lib/clock.ts';

export interface StageView {
  enter(stage: Stage): void;
  stop(): void;
}

/** One line a stage: for logs and pipes. */
export function stageLines(write: (text: string) => void): StageView {
  const startMs = systemClock.monotonicMs();
  return {
    enter({ text }) {
      write(`${((systemClock.monotonicMs() - startMs) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
    },
    stop() {},
  };
}

/**
 * A bar on a terminal, over the whole work. It goes by the stages' expected times, and waits at a stage's
 * end for a stage that takes longer.
 */
export async function stageBar(stages: readonly Stage[], stream: NodeJS.WritableStream): Promise<StageView> {
  const { default: progress } = await import('cli-progress');
  const totalMs = stages.reduce((sum, { expectedMs }) => sum + expectedMs, 0);
  const bar = new progress.SingleBar({
    stream,
    format: '[{bar}] {percentage} %  {left} s left  {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    gracefulExit: false,
    fps: 5,
  });
  bar.start(totalMs, 0, { left: Math.round(totalMs / 1000), text: '' });
  let [beganAtMs, behindMs] = [systemClock.monotonicMs(), 0];
  let current: Stage | undefined;
  const show = () => {
    if (current === undefined) return;
    const inStageMs = Math.min(current.expectedMs, systemClock.monotonicMs() - beganAtMs);
    const doneMs = Math.round(behindMs + inStageMs);
    bar.update(doneMs, { left: Math.ceil((totalMs - doneMs) / 1000), text: current.text });
  };
  const timer = setInterval(show, 200);
  return {
    enter(stage) {
      behindMs += current?.expectedMs ?? 0;
      beganAtMs = systemClock.monotonicMs();
      current = stage;
      show();
    },
    stop() {
      clearInterval(timer);
      bar.stop();
    },
  };
}
