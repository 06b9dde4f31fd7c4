import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForewarmError } from '../../../src/lib/errors.ts';
import { blockLimit, rangesOf } from '../../../src/planning/block-ranges.ts';
import { decodeWorkSet, encodeWorkSet, workSetEncodingVersion } from '../../../src/planning/codec.ts';
import type { WorkSet } from '../../../src/planning/work-set.ts';
import { workSet } from './arbitraries.ts';

const example: WorkSet = {
  ...{ vm: 'app1', source: 'db1', systemId: '734', blockBytes: 8192, takenAt: '2026-01-01T00:00:00Z' },
  ...{ blocksKnown: true, secondTier: 'measured' },
  relations: [
    {
      ...{ database: 'app', schema: 'public', name: 't', kind: 'table', fork: 'main', filenode: '1/2/3' },
      ...{ sizeBlocks: 900, share: 0.75 },
      ranges: rangesOf([
        [0, 200, 5],
        [200, 3, 0],
        [70_000, 1, 1],
        [blockLimit - 1, 1, 2],
      ]),
    },
  ],
};

const body = (encoded: Uint8Array) => brotliDecompressSync(encoded.subarray(5));
const headerOf = (raw: Buffer) => JSON.parse(raw.subarray(4, 4 + raw.readUInt32LE(0)).toString());

/** A message as another hand would make it. */
function forge(header: unknown, columns: Uint8Array = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const lengths = Buffer.alloc(4);
  lengths.writeUInt32LE(json.length);
  const raw = Buffer.concat([lengths, json, columns]);
  const prefix = Buffer.from([workSetEncodingVersion, 0, 0, 0, 0]);
  prefix.writeUInt32LE(raw.length, 1);
  return Buffer.concat([prefix, brotliCompressSync(raw)]);
}

async function refusal(data: Uint8Array, limits?: { bodyBytes: number; ranges: number }): Promise<string> {
  const error: unknown = await decodeWorkSet(data, limits).then(
    () => new Error('it was taken'),
    (reason) => reason,
  );
  if (!(error instanceof ForewarmError)) throw error;
  expect(error.code).toBe('message_malformed');
  expect(error.hint).toBeDefined();
  return error.message;
}

describe('a work set as bytes', () => {
  it('comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(workSet, async (original) => {
        expect(await decodeWorkSet(await encodeWorkSet(original))).toEqual(original);
      }),
    );
  });

  it('comes back with the greatest block numbers, and from a view into a larger buffer', async () => {
    const encoded = await encodeWorkSet(example);
    const larger = Buffer.concat([Buffer.from('xyz'), encoded, Buffer.from('xyz')]);
    expect(await decodeWorkSet(larger.subarray(3, 3 + encoded.length))).toEqual(example);
  });

  it('lets fields through that a newer agent adds', async () => {
    const raw = body(await encodeWorkSet(example));
    const columns = raw.subarray(4 + raw.readUInt32LE(0));
    const decoded = await decodeWorkSet(forge({ ...headerOf(raw), colour: 'blue' }, columns));
    expect(decoded).toEqual({ ...example, colour: 'blue' });
  });
});

describe('what is not a work set', () => {
  it('is refused with its version when that is another', async () => {
    const encoded = Buffer.from(await encodeWorkSet(example));
    encoded[0] = 9;
    await expect(decodeWorkSet(encoded)).rejects.toMatchObject({ code: 'version_unsupported' });
  });

  it('is refused when cut off anywhere', async () => {
    const encoded = await encodeWorkSet(example);
    for (let length = 0; length < encoded.length; length++) await refusal(encoded.subarray(0, length));
  });

  it('is refused or decodes to sound ranges, whatever byte is changed, and never throws anything else', async () => {
    const encoded = await encodeWorkSet(example);
    const change = fc.record({ at: fc.nat(encoded.length - 1), to: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bad = Buffer.from(encoded);
        for (const { at, to } of changes) bad[at] = to;
        const result = await decodeWorkSet(bad).catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(ForewarmError);
          return;
        }
        for (const { ranges } of (result as WorkSet).relations) {
          for (const heat of ranges.heats) expect(heat).toBeLessThanOrEqual(5);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is refused from random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        bytes[0] = workSetEncodingVersion;
        await refusal(bytes);
      }),
    );
  });

  it('is refused by its claims before memory is taken', async () => {
    const huge = Buffer.from(await encodeWorkSet(example));
    huge.writeUInt32LE(0xffffffff, 1);
    expect(await refusal(huge)).toContain('claims 4294967295 bytes');

    const bomb = Buffer.concat([Buffer.from([1, 100, 0, 0, 0]), brotliCompressSync(Buffer.alloc(2 ** 24))]);
    expect(await refusal(bomb)).toContain('does not decompress to its 100 bytes');

    const raw = body(await encodeWorkSet(example));
    const header = headerOf(raw);
    const columns = raw.subarray(4 + raw.readUInt32LE(0));
    header.relations[0].ranges = 0xffffffff;
    expect(await refusal(forge(header, columns))).toContain('claims 4294967295 ranges');
    header.relations[0].ranges = 4;
    expect(await refusal(forge(header, columns), { bodyBytes: 1e6, ranges: 3 })).toContain(
      'has 4 ranges, over 3',
    );
  });

  it('is refused for numbers that run on, blocks beyond any relation, bad heats and bytes left over', async () => {
    const header = headerOf(body(await encodeWorkSet(example)));
    const tell = (columns: number[], ranges = 1) => {
      header.relations[0] = { ...header.relations[0], ranges, bytes: columns.length };
      return refusal(forge(header, Buffer.from(columns)));
    };
    expect(await tell([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1])).toContain('cut off or too long');
    expect(await tell([0x80, 0x80, 0x80])).toContain('cut off or too long');
    expect(await tell([0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1])).toContain('is no block number');
    expect(await tell([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1])).toContain('beyond any relation');
    expect(await tell([0, 0, 7])).toContain('heat 7');
    expect(await tell([0, 0, 1, 1])).toContain('bytes of heat');
    header.relations[0] = { ...header.relations[0], ranges: 1, bytes: 3 };
    expect(await refusal(forge(header, Buffer.from([0, 0, 1, 1])))).toContain('bytes more than');
  });

  it('is refused for a header that is not ours', async () => {
    expect(await refusal(forge('{"vm":'))).toContain('not JSON');
    expect(await refusal(forge({ vm: 'app1' }))).toContain('its header is wrong');
    const header = headerOf(body(await encodeWorkSet({ ...example, relations: [] })));
    expect(await refusal(forge({ ...header, vm: 'a.b>*' }))).toContain('vm');
    expect(await refusal(forge({ ...header, blockBytes: 0 }))).toContain('blockBytes');
  });
});
