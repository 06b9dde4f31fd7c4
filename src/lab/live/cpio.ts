/** One entry of an initramfs. Folders above it are made by themselves. */
export type ArchiveEntry =
  | { readonly path: string; readonly kind: 'file'; readonly content: Buffer; readonly executable?: boolean }
  | { readonly path: string; readonly kind: 'folder' }
  | { readonly path: string; readonly kind: 'device'; readonly major: number; readonly minor: number };

const modes = { file: 0o100644, executable: 0o100755, folder: 0o040755, device: 0o020600 } as const;

/** A cpio archive of the kind `newc`, as the kernel unpacks it; paths are relative to `/`. */
export function writeCpio(entries: readonly ArchiveEntry[]): Buffer {
  const folders = new Set<string>();
  const all: ArchiveEntry[] = [];
  for (const entry of entries) {
    const parts = entry.path.split('/');
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
    if (entry.kind === 'folder') folders.add(entry.path);
    else all.push(entry);
  }
  // The kernel unpacks in this order: a folder comes before what is in it.
  const first = [...folders].sort().map((path): ArchiveEntry => ({ path, kind: 'folder' }));
  const pieces = [...first, ...all].flatMap((entry, index) => pieceOf(entry, index + 1));
  return Buffer.concat([...pieces, ...trailer()]);
}

function pieceOf(entry: ArchiveEntry, inode: number): Buffer[] {
  const content = entry.kind === 'file' ? entry.content : Buffer.alloc(0);
  const mode = entry.kind === 'file' && entry.executable === true ? modes.executable : modes[entry.kind];
  const device =
    entry.kind === 'device' ? { major: entry.major, minor: entry.minor } : { major: 0, minor: 0 };
  return [header({ inode, mode, size: content.length, device, name: entry.path }), padded(content)];
}

function trailer(): Buffer[] {
  return [header({ inode: 0, mode: 0, size: 0, device: { major: 0, minor: 0 }, name: 'TRAILER!!!' })];
}

function header(of: {
  readonly inode: number;
  readonly mode: number;
  readonly size: number;
  readonly device: { readonly major: number; readonly minor: number };
  readonly name: string;
}): Buffer {
  const { inode, mode, size, device, name } = of;
  const nameBytes = Buffer.byteLength(name) + 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, device.major, device.minor, nameBytes, 0];
  const hex = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.from(`070701${hex}${name}\0`));
}

/** Header with name, and content, begin at multiples of four. */
function padded(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
