import type { Broker } from '../broker/broker.ts';
import { ForewarmError } from '../lib/errors.ts';
import type { MigrationRecord } from '../messages/record.ts';

export interface FoundMigration {
  readonly id: string;
  readonly vm: string;
  readonly target: string;
  /** Undefined when its agent has not written one yet. */
  readonly record: MigrationRecord | undefined;
}

/** A migration by its id, or a VM's newest one. Rejects with `migration_unknown`. */
export async function findMigration(
  broker: Pick<Broker, 'records' | 'vms'>,
  by: { readonly vm: string | undefined; readonly migration: string | undefined },
): Promise<FoundMigration> {
  const pointer =
    by.migration === undefined && by.vm !== undefined ? (await broker.vms.get(by.vm))?.value : undefined;
  const id = by.migration ?? pointer?.migration;
  const record = id === undefined ? undefined : (await broker.records.get(id))?.value;
  if (record !== undefined && by.vm !== undefined && record.vm !== by.vm) {
    throw new ForewarmError(
      'migration_unknown',
      `migration ${record.id} is of VM ${record.vm}, not ${by.vm}`,
    );
  }
  if (record !== undefined) return { id: record.id, vm: record.vm, target: record.target, record };
  if (pointer !== undefined && by.vm !== undefined) {
    return { id: pointer.migration, vm: by.vm, target: pointer.target, record: undefined };
  }
  const what =
    by.migration === undefined ? `VM ${by.vm} has no migration` : `there is no migration ${by.migration}`;
  throw new ForewarmError('migration_unknown', what, {
    hint: '`forewarm status --all` lists the migrations.',
  });
}
