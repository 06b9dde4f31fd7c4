import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema, wireVersion } from './names.ts';

/** "This VM is about to move to that replica; be ready by the deadline." */
export const intentSchema = z.looseObject({
  v: versionSchema,
  kind: z.literal('intent').default('intent'),
  id: nameSchema,
  vm: nameSchema,
  /** The replica that the VM reads now; left out: its route says it. */
  source: nameSchema.optional(),
  target: nameSchema,
  deadline: timeSchema,
  issuedAt: timeSchema,
  /** Free text such as `libvirt:hv2`. */
  issuedBy: z.string().max(256).optional(),
});
export type Intent = z.infer<typeof intentSchema>;

/** The VM runs on its new host (`arrived`), or stays where it was (`aborted`). */
export const outcomeSchema = z.looseObject({
  v: versionSchema,
  kind: z.enum(['arrived', 'aborted']),
  id: nameSchema,
  at: timeSchema,
  reason: z.string().max(1024).optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

export type IntentMessage = Intent | Outcome;

export type ParsedIntentMessage =
  | { readonly ok: true; readonly message: IntentMessage }
  | {
      readonly ok: false;
      readonly code: 'message_malformed' | 'version_unsupported';
      readonly reason: string;
      readonly id: string | undefined;
    };

/** Reads a message from an intent subject; never throws. `id` is kept where it could be read. */
export function parseIntentMessage(data: Uint8Array): ParsedIntentMessage {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return { ok: false, code: 'message_malformed', reason: `not JSON (${data.length} bytes)`, id: undefined };
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const readId = nameSchema.safeParse(fields['id']);
  const id = readId.success ? readId.data : undefined;
  if (fields['v'] !== wireVersion) {
    const seen = JSON.stringify(fields['v'])?.slice(0, 40) ?? 'missing';
    return {
      ok: false,
      code: 'version_unsupported',
      reason: `wire format version ${seen}, not ${wireVersion}`,
      id,
    };
  }
  const kind = fields['kind'] ?? 'intent';
  const parsed = (kind === 'intent' ? intentSchema : outcomeSchema).safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  const reason = z
    .prettifyError(parsed.error)
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, 500);
  return { ok: false, code: 'message_malformed', reason, id };
}
