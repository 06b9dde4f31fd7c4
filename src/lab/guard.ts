import { createInterface } from 'node:readline';
import { cleanUp, type OwnedThing } from './clean-up.ts';

/**
 * Outlives the process that owns the lab's servers, by as long as it takes to end them.
 * Reads lines `{"own": thing}` and `{"forget": key}`; the end of stdin, which also comes
 * when the owner was killed, starts the cleaning.
 */
const things = new Map<string, OwnedThing>();
// It runs in a session of its own; should a signal for its owner reach it all the same, it must not die of it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const message = JSON.parse(line) as { own?: OwnedThing; forget?: string };
  if (message.own !== undefined) things.set(message.own.key, message.own);
  if (message.forget !== undefined) things.delete(message.forget);
}
await cleanUp([...things.values()]);
process.stdin.destroy();
