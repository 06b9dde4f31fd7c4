import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A migration to this host that its hook announced. */
export interface PendingMigration {
  readonly guest: string;
  readonly vm: string;
  readonly id: string;
  /** The replica beside this host. */
  readonly target: string;
  /** ISO 8601. */
  readonly deadline: string;
}

const [before, after] = ['libvirt-', '.json'];

/**
 * What this host's hook has announced and nobody has closed yet, one file a guest. The hook's calls are processes
 * of their own, so that this is all they know of each other; a folder below /run is empty after a start of the
 * host, as are its guests.
 */
export class PendingMigrations {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when there is none; what cannot be read counts as none. */
  read(guest: string): PendingMigration | undefined {
    try {
      const found = JSON.parse(readFileSync(this.#file(guest), 'utf8')) as Partial<PendingMigration>;
      const { vm, id, target, deadline } = found;
      if (found.guest !== guest || !vm || !id || !target || !deadline) return undefined;
      return { guest, vm, id, target, deadline };
    } catch {
      return undefined;
    }
  }

  /** Takes the place of an older one of the same guest. Throws errors of the file system. */
  write(pending: PendingMigration): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    const file = this.#file(pending.guest);
    // A reader sees the old one or the new one, never a part.
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(pending));
    renameSync(`${file}.${process.pid}`, file);
  }

  /** Forgets it, unless a newer one has taken its place. */
  remove(pending: PendingMigration): void {
    if (this.read(pending.guest)?.id === pending.id) rmSync(this.#file(pending.guest), { force: true });
  }

  list(): PendingMigration[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => name.startsWith(before) && name.endsWith(after))
        .flatMap((name) => this.read(decodeURIComponent(name.slice(before.length, -after.length))) ?? []);
    } catch {
      return [];
    }
  }

  #file(guest: string): string {
    return join(this.#folder, `${before}${encodeURIComponent(guest)}${after}`);
  }
}
