/** One call of libvirt's qemu hook: `GUEST OPERATION SUBOPERATION EXTRA`, with the domain's XML on stdin. */
export interface LibvirtCall {
  readonly guest: string;
  readonly operation: string;
  readonly suboperation: string;
  /** `-`, or from libvirt 10.5 on the reason of a stop with `release end`. */
  readonly extra: string;
}

/**
 * What a call is to us. `coming`: a guest is about to be migrated to this host, and waits for the hook. `left`: it
 * was migrated away from here. `gone`: it ended here, and nobody says whether a failed migration to this host was
 * undone, a migration away succeeded or somebody destroyed it.
 */
export type Happening = 'coming' | 'left' | 'gone' | 'other';

export function happeningOf(call: LibvirtCall): Happening {
  const what = `${call.operation} ${call.suboperation}`;
  if (what === 'migrate begin') return 'coming';
  if (what === 'release end' && call.extra === 'migrated') return 'left';
  return what === 'stopped end' || what === 'release end' ? 'gone' : 'other';
}

/** From `argv` without the program's own names; undefined when it is no call of libvirt's. */
export function parseCall(argv: readonly string[]): LibvirtCall | undefined {
  const [guest, operation, suboperation, extra = '-'] = argv;
  if (!guest || !operation || !suboperation || argv.length > 4) return undefined;
  return { guest, operation, suboperation, extra };
}
