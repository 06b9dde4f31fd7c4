import { expect, test } from 'vitest';
import { writeCpio } from '../../../../src/lab/live/cpio.ts';

/** Reads an archive of the kind `newc` by its fields' places. */
function readCpio(archive: Buffer) {
  const entries: { name: string; mode: number; content: string; device: readonly [number, number] }[] = [];
  for (let at = 0; at < archive.length; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameEnd = at + 110 + field(11);
    const contentAt = (nameEnd + 3) & ~3;
    entries.push({
      name: archive.toString('utf8', at + 110, nameEnd - 1),
      mode: field(1),
      content: archive.toString('utf8', contentAt, contentAt + field(6)),
      device: [field(9), field(10)],
    });
    at = (contentAt + field(6) + 3) & ~3;
  }
  return entries;
}

test('folders come before what is in them, and the archive has its end', () => {
  const archive = writeCpio([
    { path: 'bin/tools/one', kind: 'file', content: Buffer.from('abcde'), executable: true },
    { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
    { path: 'tmp', kind: 'folder' },
    { path: 'note', kind: 'file', content: Buffer.from('') },
  ]);
  const entries = readCpio(archive);
  expect(entries.map(({ name }) => name)).toEqual([
    ...['bin', 'bin/tools', 'dev', 'tmp', 'bin/tools/one', 'dev/console', 'note', 'TRAILER!!!'],
  ]);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  expect(byName.get('bin/tools')?.mode).toBe(0o040755);
  expect(byName.get('bin/tools/one')).toMatchObject({ mode: 0o100755, content: 'abcde' });
  expect(byName.get('dev/console')).toMatchObject({ mode: 0o020600, device: [5, 1] });
  expect(byName.get('note')).toMatchObject({ mode: 0o100644, content: '' });
});
