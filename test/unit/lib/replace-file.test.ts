import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { replaceFile } from '../../../src/lib/replace-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'forewarm-replace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('keeps the mode, follows a link, and leaves nothing else behind', async () => {
  const file = join(folder, 'secret');
  const link = join(folder, 'link');
  writeFileSync(file, 'old');
  chmodSync(file, 0o640);
  symlinkSync(file, link);
  await replaceFile(link, 'new');
  expect(readFileSync(file, 'utf8')).toBe('new');
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder).sort()).toEqual(['link', 'secret']);
});

test('follows links to a file that is not there yet', async () => {
  const [first, second, file] = ['first', 'second', 'later'].map((name) => join(folder, name));
  symlinkSync('second', first!);
  symlinkSync(file!, second!);
  await replaceFile(first!, 'new');
  expect(lstatSync(first!).isSymbolicLink() && lstatSync(second!).isSymbolicLink()).toBe(true);
  expect(readFileSync(file!, 'utf8')).toBe('new');
  for (const name of [first!, second!, file!]) rmSync(name);
});

test('a file that cannot be written is an error, and nothing is left behind', async () => {
  await expect(replaceFile(join(folder, 'none', 'file'), 'x')).rejects.toThrow('ENOENT');
  await expect(replaceFile(folder, 'x')).rejects.toThrow();
  // Nobody is told twice of what has not changed.
  const messages = await Promise.all(
    [1, 2].map(() => replaceFile(join(folder, 'none', 'file'), 'x').catch((error: Error) => error.message)),
  );
  expect(messages[0]).toBe(messages[1]);
  expect(readdirSync(folder).sort()).toEqual(['link', 'secret']);
});

test('readers see the old text or the new one, never a part', async () => {
  const file = join(folder, 'whole');
  const texts = ['a'.repeat(100_000), 'b'.repeat(200_000)];
  await replaceFile(file, texts[0]!);
  let over = false;
  const reading = (async () => {
    while (!over) {
      expect(texts).toContain(readFileSync(file, 'utf8'));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let i = 1; i <= 20; i++) await replaceFile(file, texts[i % 2]!);
  over = true;
  await reading;
});
