import { expect, test } from 'vitest';
import { findSource } from '../../../src/agent/find-source.ts';

/** Two buckets as they are read, without NATS: what is in them is all that counts here. */
function bucketsWith(route: object | null, profiles: readonly { replica: string; at: string }[]) {
  return {
    routes: { get: async () => route },
    profiles: { list: async () => profiles.map((value) => ({ value })) },
  } as unknown as Parameters<typeof findSource>[0];
}

const seen = [
  { replica: 'db2', at: '2026-01-01T00:00:09Z' },
  { replica: 'db3', at: '2026-01-01T00:00:01Z' },
  { replica: 'db1', at: '2026-01-01T00:00:05Z' },
];
const asked = { target: 'db2', migration: 'm1' };

test('a route says where the VM reads', async () => {
  expect(await findSource(bucketsWith({ replica: 'db1' }, []), 'app1', asked)).toBe('db1');
});

test('without a route the replica does that saw it last', async () => {
  expect(await findSource(bucketsWith(null, seen), 'app1', asked)).toBe('db1');
});

test('a VM that reads the target needs nothing, unless this migration has brought it there', async () => {
  const before = bucketsWith({ replica: 'db2', migration: 'm0' }, seen);
  await expect(findSource(before, 'app1', asked)).rejects.toMatchObject({ code: 'same_replica' });
  const arrived = bucketsWith({ replica: 'db2', migration: 'm1' }, seen);
  expect(await findSource(arrived, 'app1', asked)).toBe('db1');
});

test('with neither nobody knows', async () => {
  await expect(findSource(bucketsWith(null, []), 'app1', asked)).rejects.toMatchObject({
    code: 'source_unknown',
  });
});
