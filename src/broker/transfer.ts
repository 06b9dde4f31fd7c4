import { createHash, randomUUID } from 'node:crypto';
import { ForewarmError } from '../lib/errors.ts';
import { type WorkSetReply, type WorkSetRequest, workSetReplySchema } from '../messages/requests.ts';
import type { Requests } from './requests.ts';

/** How long an encoded work set waits to be fetched, and how many bytes of them are kept. */
const keepMs = 120_000;
const keepBytes = 256 * 1024 * 1024;
/** Up to here the answer holds the work set itself, where the server's limit of a payload lets it. */
const inlineBytes = 16 * 1024;

/** Encoded work sets in pieces below NATS's payload limit, pulled by the one who asked: nobody is flooded. */
export class OutgoingTransfers {
  readonly #kept = new Map<string, { bytes: Uint8Array; pieceBytes: number; expiresMs: number }>();

  /** Keeps the bytes and says how to fetch them. */
  offer(bytes: Uint8Array, payloadLimit: number, takenAt: string): Omit<WorkSetReply, 'v'> {
    const now = Date.now();
    let total = bytes.length;
    for (const [token, entry] of [...this.#kept].reverse()) {
      total += entry.bytes.length;
      if (entry.expiresMs < now || total > keepBytes) this.#kept.delete(token);
    }
    const pieceBytes = Math.max(1024, Math.min(payloadLimit - 1024, 512 * 1024));
    const token = randomUUID();
    this.#kept.set(token, { bytes, pieceBytes, expiresMs: now + keepMs });
    return {
      token,
      chunks: Math.ceil(bytes.length / pieceBytes),
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      takenAt,
      ...(bytes.length > Math.min(inlineBytes, (payloadLimit - 1024) / 2)
        ? {}
        : { inline: Buffer.from(bytes).toString('base64') }),
    };
  }

  /** One piece; rejects with `no_work_set` when it is no longer kept. */
  piece(token: string, chunk: number): Uint8Array {
    const entry = this.#kept.get(token);
    const start = chunk * (entry?.pieceBytes ?? 0);
    if (entry === undefined || start >= entry.bytes.length) {
      throw new ForewarmError(
        'no_work_set',
        `piece ${chunk} of transfer ${JSON.stringify(token.slice(0, 40))} is not kept here`,
      );
    }
    return entry.bytes.subarray(start, start + entry.pieceBytes);
  }
}

/** Asks a source for a work set; one that is not in the answer is pulled in pieces, four at a time. Checked by its SHA-256. */
export async function fetchWorkSetBytes(
  requests: Requests,
  source: string,
  request: Omit<WorkSetRequest, 'v'>,
  timeoutMs: number,
): Promise<Uint8Array> {
  const reply = await requests.ask(source, 'workset', request, workSetReplySchema, timeoutMs);
  const bytes =
    reply.inline === undefined
      ? await pullPieces(requests, source, { reply, timeoutMs })
      : Buffer.from(reply.inline, 'base64');
  if (bytes.length !== reply.bytes || createHash('sha256').update(bytes).digest('hex') !== reply.sha256)
    throw damaged(source);
  return bytes;
}

/** Shorter than was said where a piece is. */
async function pullPieces(
  requests: Requests,
  source: string,
  { reply, timeoutMs }: { readonly reply: WorkSetReply; readonly timeoutMs: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(reply.bytes);
  let offset = 0;
  for (let first = 0; first < reply.chunks; first += 4) {
    const numbers = Array.from({ length: Math.min(4, reply.chunks - first) }, (_, i) => first + i);
    const pieces = await Promise.all(
      numbers.map((chunk) => requests.askBytes(source, 'chunk', { token: reply.token, chunk }, timeoutMs)),
    );
    for (const piece of pieces) {
      if (offset + piece.length > bytes.length) throw damaged(source);
      bytes.set(piece, offset);
      offset += piece.length;
    }
  }
  return bytes.subarray(0, offset);
}

function damaged(source: string): ForewarmError {
  return new ForewarmError('no_work_set', `the work set from ${source} arrived damaged`, {
    hint: 'It will be asked for again.',
  });
}
