import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { fetchWorkSetBytes, OutgoingTransfers } from '../../src/broker/transfer.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { chunkRequestSchema } from '../../src/messages/requests.ts';
import { testServers } from './servers.ts';

const unused = async () => ({});
let source: Broker;
let target: Broker;
let stop: AbortController;

beforeAll(async () => {
  const named = { url: testServers().nats, prefix: `t${randomUUID().slice(0, 8)}`, logger: silentLogger };
  source = await connectBroker({ ...named, name: 'source' });
  target = await connectBroker({ ...named, name: 'target' });
});
afterEach(() => stop?.abort());
afterAll(async () => {
  await source?.close();
  await target?.close();
});

/** Serves bytes as a work set; gives the numbers of the pieces that were asked for. */
async function serve(bytes: Uint8Array, { older = false, damaged = false } = {}): Promise<readonly number[]> {
  const transfers = new OutgoingTransfers();
  const pieces: number[] = [];
  stop = new AbortController();
  const handlers = {
    async workset() {
      const offer = transfers.offer(bytes, source.requests.payloadLimit, new Date().toISOString());
      const { inline, ...rest } = offer;
      const spoilt = inline === undefined ? {} : { inline: String(inline).replace(/^..../, 'AAAA') };
      return { v: 1, ...(older ? rest : offer), ...(damaged ? spoilt : {}) };
    },
    async chunk(request: unknown) {
      const { token, chunk } = chunkRequestSchema.parse(request);
      pieces.push(chunk);
      return transfers.piece(token, chunk);
    },
    ...{ estimate: unused, profile: unused },
  };
  void source.requests.serve('db1', handlers, stop.signal);
  await vi.waitFor(() => target.requests.askBytes('db1', 'estimate', {}, 1_000), { timeout: 15_000 });
  return pieces;
}

const fetch = () =>
  fetchWorkSetBytes(target.requests, 'db1', { vm: 'app1', sharpen: false, maxAgeMs: 0 }, 5_000);

it.each([
  [1, 0],
  [16 * 1024, 0],
  [16 * 1024 + 1, 1],
  [3 * 1024 * 1024 + 5, 7],
])('a work set of %i bytes comes whole, in %i pieces beside the answer', async (size, count) => {
  const bytes = randomBytes(size);
  const pieces = await serve(bytes);
  expect(Buffer.from(await fetch()).equals(bytes)).toBe(true);
  expect([...pieces].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
});

it('one from an agent that puts nothing into its answer is fetched in pieces', async () => {
  const bytes = randomBytes(100);
  const pieces = await serve(bytes, { older: true });
  expect(Buffer.from(await fetch()).equals(bytes)).toBe(true);
  expect(pieces).toEqual([0]);
});

it('one that arrives damaged is refused', async () => {
  await serve(Buffer.concat([Buffer.from([1, 2, 3]), randomBytes(100)]), { damaged: true });
  await expect(fetch()).rejects.toMatchObject({ code: 'no_work_set' });
});
