import type { Broker } from '../broker/broker.ts';
import { describeError, type ErrorCode, ForewarmError } from '../lib/errors.ts';
import { type Estimate, estimateSchema } from '../messages/requests.ts';
import { rankEstimates } from './rank.ts';

export interface Estimates {
  /** Best first. */
  readonly estimates: readonly Estimate[];
  /** Replicas that gave none, and why. */
  readonly failures: readonly {
    readonly replica: string;
    readonly code: ErrorCode;
    readonly message: string;
  }[];
  readonly source: string | undefined;
}

/** Asks every agent but the source's how well it could take the VM. */
export async function askEstimates(
  broker: Broker,
  question: { readonly vm: string; readonly source: string | undefined; readonly timeoutMs: number },
): Promise<Estimates> {
  const { vm, timeoutMs } = question;
  const source = question.source ?? (await broker.routes.get(vm))?.replica;
  const replicas = (await broker.replicas.list()).map((stored) => stored.value.replica);
  const others = replicas.filter((replica) => replica !== source);
  if (others.length === 0) {
    throw new ForewarmError(
      'replica_unknown',
      `there is no replica besides the source (${source ?? 'unknown'})`,
      {
        hint: 'Start the agents of the other replicas; `forewarm status` lists those at hand.',
      },
    );
  }
  const request = { vm, ...(source === undefined ? {} : { source }) };
  const failures: { replica: string; code: ErrorCode; message: string }[] = [];
  const estimates: Estimate[] = [];
  await Promise.all(
    others.map(async (replica) => {
      try {
        estimates.push(await broker.requests.ask(replica, 'estimate', request, estimateSchema, timeoutMs));
      } catch (error) {
        failures.push({ replica, ...describeError(error) });
      }
    }),
  );
  return { estimates: rankEstimates(estimates), failures, source };
}
