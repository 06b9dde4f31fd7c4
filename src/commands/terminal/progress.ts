import type { WaitProgress } from '../../publisher/migration-waiter.ts';
import { formatBytes, formatShare } from './format.ts';

export interface ProgressView {
  update(progress: WaitProgress): void;
  stop(): void;
}

/** One line a state, and one for each tenth of the warming: for logs and pipes. */
export function lineProgress(write: (text: string) => void): ProgressView {
  let shown = '';
  return {
    update(progress) {
      const { state, bytesDone, bytesTotal } = progress;
      const tenth = bytesTotal === 0 ? 0 : Math.floor((10 * bytesDone) / bytesTotal);
      const key = state === 'warming' ? `${state} ${tenth}` : `${state}`;
      if (state === undefined || key === shown) return;
      shown = key;
      write(`forewarm: ${describe(progress)}\n`);
    },
    stop() {},
  };
}

/** A bar on a terminal. */
export async function barProgress(stream: NodeJS.WritableStream): Promise<ProgressView> {
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    stream,
    format: '{state} [{bar}] {percentage} %  {done} of {all}  {residency}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    // Ctrl-C is the command's own to answer.
    gracefulExit: false,
    fps: 10,
  });
  bar.start(1, 0, { state: 'waiting  ', done: '0 B', all: '?', residency: '' });
  return {
    update({ state, bytesDone, bytesTotal, residency }) {
      bar.setTotal(Math.max(1, bytesTotal));
      bar.update(state === 'ready' ? Math.max(1, bytesTotal) : bytesDone, {
        state: (state ?? 'waiting').padEnd(9),
        done: formatBytes(bytesDone),
        all: bytesTotal === 0 ? '?' : formatBytes(bytesTotal),
        residency: measured({ state, residency }),
      });
    },
    stop: () => bar.stop(),
  };
}

function describe({ state, bytesDone, bytesTotal, residency }: WaitProgress): string {
  const amount = bytesTotal === 0 ? '' : `, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
  const held = measured({ state, residency });
  return `${state}${amount}${held === '' ? '' : `, ${held}`}`;
}

/** Residency is measured between rounds: beside what is being read it would be that of before. */
function measured({ state, residency }: Pick<WaitProgress, 'state' | 'residency'>): string {
  if (residency === undefined || state === undefined || state === 'profiling' || state === 'warming')
    return '';
  return `${formatShare(residency)} resident`;
}
