import { Qmp } from '../../hypervisor/qmp.ts';
import { QmpMigration } from '../../hypervisor/qmp-migration.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { siblingScript } from '../sibling-script.ts';
import type { Guest } from './guest.ts';

/** What QEMU allows a migration by default, in bytes a second. */
const fullBandwidth = 128 << 20;

/** By `forewarm migrate --qmp`: it publishes the intent, opens the gate when the target is ready, and says arrived. */
export async function moveWithForewarm(
  guest: Guest,
  by: {
    readonly owned: OwnedProcesses;
    /** Of the migration. */
    readonly id: string;
    readonly target: string;
    /** `nats.url` and the like, as in the environment. */
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { owned, id, target } = by;
  const uri = await guest.awaitAtDestination();
  const args = [
    ...[...siblingScript(import.meta.url, '../../cli'), 'migrate', '--vm', guest.vm, '--to', target],
    ...['--id', id, '--deadline', '60s', '--qmp', guest.qmp, '--to-uri', uri],
  ];
  const env = { ...process.env, ...by.env };
  const moving = owned.spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let said = '';
  moving.child.stderr?.on('data', (data) => {
    said += data;
  });
  const { code } = await moving.ended;
  if (code !== 0) throw failure(`forewarm migrate of ${guest.vm} ended with ${code}: ${said.trim()}`);
}

/** As QEMU does it by itself; nobody is told. */
export async function moveAlone(guest: Guest): Promise<void> {
  const uri = await guest.awaitAtDestination();
  const qmp = await Qmp.connect(guest.qmp);
  try {
    const { end } = await QmpMigration.start(qmp, { uri, heldBandwidth: fullBandwidth });
    const ended = await end;
    if (ended.status !== 'completed')
      throw failure(`the migration of ${guest.vm} is ${ended.status}: ${ended.reason}`);
  } finally {
    qmp.close();
  }
}

function failure(what: string): ForewarmError {
  return new ForewarmError('hypervisor_failed', what);
}
