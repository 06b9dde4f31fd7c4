import { constants } from 'node:os';
import { Qmp } from '../hypervisor/qmp.ts';
import { QmpMigration } from '../hypervisor/qmp-migration.ts';
import { ForewarmError } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationOrder } from '../publisher/warm-ahead.ts';
import { runCommand } from './terminal/run-command.ts';

/** A VM's move that began already and is held until its gate is opened. */
export interface Move {
  readonly end: Promise<MoveEnd>;
  /** Once, when the target is warm, or will not be. Rejects when the gate could not be opened: the move goes on slowly. */
  open(outcome: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  close(): void;
}

export interface MoveEnd {
  /** 0 when the VM has moved; what the command then ends with. */
  readonly status: number;
  /** For the audit trail of an abort. */
  readonly why: string;
  /** What a person is told besides. */
  readonly failure?: string;
}

/** Starts COMMAND; its gate is another command. */
export async function startCommandMove(options: {
  readonly argv: readonly string[];
  readonly whenReady: string | undefined;
  readonly json: boolean;
  readonly order: MigrationOrder;
}): Promise<Move> {
  const { argv, whenReady, order } = options;
  const running = runCommand(argv, { stdoutToStderr: options.json });
  const ended = new AbortController();
  const end = running.end.then(({ status, failure }): MoveEnd => {
    ended.abort();
    const why = `the command ended with status ${status}`;
    return failure === undefined
      ? { status, why }
      : { status, why, failure: `the command could not be started: ${failure}` };
  });
  return {
    end,
    async open(outcome) {
      if (whenReady === undefined) return;
      const env = { FOREWARM_VM: order.vm, FOREWARM_TARGET: order.to, FOREWARM_OUTCOME: outcome };
      const openOnce = async () => {
        const { status } = await runCommand(['sh', '-c', whenReady], {
          stdoutToStderr: true,
          aside: true,
          env,
        }).end;
        if (status === 0 || ended.signal.aborted) return;
        throw new ForewarmError(
          'hypervisor_failed',
          `--when-ready ended with status ${status}; the move goes on as it is`,
        );
      };
      // A gate that stays shut would hold the VM for ever.
      await retry(openOnce, { attempts: 5, firstDelayMs: 500, signal: ended.signal });
    },
    kill: (signal) => running.kill(signal),
    close() {},
  };
}

/** Starts QEMU's own migration; its gate is the bandwidth. Rejects with `hypervisor_failed` when nothing moves. */
export async function startQmpMove(options: {
  readonly qmp: string;
  readonly toUri: string;
  readonly heldBandwidth: number;
  readonly fullBandwidth?: number;
}): Promise<Move> {
  const qmp = await Qmp.connect(options.qmp);
  let migration: QmpMigration;
  try {
    migration = await QmpMigration.start(qmp, { uri: options.toUri, heldBandwidth: options.heldBandwidth });
  } catch (error) {
    qmp.close();
    throw error;
  }
  let killedBy: NodeJS.Signals | undefined;
  return {
    end: migration.end.then((end): MoveEnd => {
      if (end.status === 'completed') return { status: 0, why: 'completed' };
      const why = `QEMU's migration is ${end.status}: ${end.reason}`;
      const status = killedBy === undefined ? 1 : 128 + constants.signals[killedBy];
      return { status, why, failure: why };
    }),
    async open() {
      await retry(() => migration.raise(options.fullBandwidth), { attempts: 3 });
    },
    kill(signal) {
      killedBy = signal;
      void migration.cancel().catch(() => {});
    },
    close: () => qmp.close(),
  };
}
