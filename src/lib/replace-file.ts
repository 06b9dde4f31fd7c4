import { randomBytes } from 'node:crypto';
import { open, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

const modeOfNew = 0o644;

/**
 * Replaces a file as a whole: readers see the old content or the new one, also after a crash. A link is
 * followed, also one to a file that is not there yet; mode and owner of a file that is there are kept. Rejects with
 * the system's error, which says the same at each try, and leaves the old file, also when its owner cannot be kept:
 * who reads it now could not read it afterwards.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const target = await followLinks(path);
  const old = await stat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const folder = dirname(target);
  const fresh = join(folder, `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  await writeThenRename({ fresh, target, content, old }).catch((error: Error) => {
    // Its name is another one at each try, and nobody else's.
    error.message = error.message.replaceAll(`'${fresh}'`, `a new file in '${folder}'`);
    throw error;
  });
  // Without this the new name may be lost with the power.
  const entry = await open(folder, 'r');
  try {
    await entry.sync();
  } finally {
    await entry.close();
  }
}

async function writeThenRename(way: {
  readonly fresh: string;
  readonly target: string;
  readonly content: string | Uint8Array;
  readonly old: { readonly uid: number; readonly gid: number; readonly mode: number } | undefined;
}): Promise<void> {
  const { fresh, target, content, old } = way;
  const file = await open(fresh, 'wx', 0o600);
  try {
    try {
      await file.writeFile(content);
      const made = await file.stat();
      if (old !== undefined && (old.uid !== made.uid || old.gid !== made.gid))
        await file.chown(old.uid, old.gid);
      await file.chmod(old === undefined ? modeOfNew & ~process.umask() : old.mode & 0o7777);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, target);
  } catch (error) {
    await unlink(fresh).catch(() => {});
    throw error;
  }
}

/** Where a path leads; its last part, or that of a link, need not be there. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const next = await readlink(path).catch(() => undefined);
  return next === undefined ? path : await followLinks(resolve(await realpath(dirname(path)), next));
}
