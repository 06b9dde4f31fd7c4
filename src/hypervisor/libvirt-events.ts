/** One line of `virsh event --event lifecycle --loop`. */
export interface LifecycleEvent {
  readonly guest: string;
  /** `Resumed`, `Stopped`, … */
  readonly event: string;
  /** `Migrated`, `Failed`, …; empty where there is none. */
  readonly detail: string;
}

/** Undefined for lines that are no lifecycle event. virsh writes names with quotes, older ones without. */
export function parseLifecycleEvent(line: string): LifecycleEvent | undefined {
  const match = /event 'lifecycle' for domain (.+): ([A-Za-z]+)(?: (.+))?$/.exec(line.trim());
  if (match === null) return undefined;
  const [, name = '', event = '', detail = ''] = match;
  const guest = /^'.*'$/.test(name) ? name.slice(1, -1) : name;
  return { guest, event, detail };
}

/**
 * What an event says of a migration to this host. `Resumed Migrated` comes at the destination when the guest
 * runs there, and also at a source whose guest goes on after a cancelled migration.
 */
export function meaningOf({ event, detail }: LifecycleEvent): 'runs here' | 'undone' | 'other' {
  if (event === 'Resumed' && detail === 'Migrated') return 'runs here';
  return event === 'Stopped' && detail === 'Failed' ? 'undone' : 'other';
}
