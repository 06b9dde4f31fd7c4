import type { ErrorCode } from '../lib/errors.ts';
import type { Intent } from '../messages/intent.ts';

export interface AdmissionContext {
  /** The replica of the agent that decides. */
  readonly replica: string;
  readonly now: Date;
  /** How long after its deadline an intent is still worth serving, in milliseconds. */
  readonly expiryMs: number;
}

export type Admission =
  | { readonly admit: true }
  | {
      readonly admit: false;
      readonly state: 'rejected' | 'expired';
      readonly code: ErrorCode;
      readonly reason: string;
    };

/**
 * Whether an agent takes an intent. A deadline that passed while the intent waited (the agent or NATS
 * was away) still gets its warming, since the VM is arriving cold; one far in the past is expired.
 */
export function admit(intent: Intent, context: AdmissionContext): Admission {
  const refuse = (state: 'rejected' | 'expired', code: ErrorCode, reason: string): Admission => ({
    admit: false,
    state,
    code,
    reason,
  });
  if (intent.target !== context.replica) {
    return refuse(
      'rejected',
      'message_malformed',
      `the intent's target is ${intent.target}, but it was sent to ${context.replica}`,
    );
  }
  if (intent.source === intent.target) {
    return refuse('rejected', 'same_replica', `source and target are both ${intent.target}: nothing to warm`);
  }
  const deadlineMs = Date.parse(intent.deadline);
  if (deadlineMs <= Date.parse(intent.issuedAt)) {
    return refuse(
      'rejected',
      'deadline_past',
      `deadline ${intent.deadline} is not after its issue at ${intent.issuedAt}`,
    );
  }
  const lateMs = context.now.getTime() - deadlineMs;
  if (lateMs > context.expiryMs) {
    return refuse(
      'expired',
      'deadline_past',
      `deadline ${intent.deadline} had passed ${Math.round(lateMs / 1000)} s before the intent was taken`,
    );
  }
  return { admit: true };
}
