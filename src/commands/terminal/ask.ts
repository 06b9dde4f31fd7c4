import { createInterface } from 'node:readline/promises';

/** Asks a yes-or-no question on the terminal; no answer, Ctrl-C and an abort are no. */
export async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new AbortController();
  prompt.once('SIGINT', () => closed.abort());
  prompt.once('close', () => closed.abort());
  try {
    const answer = await prompt.question(`\n${question}`, {
      signal: AbortSignal.any([signal, closed.signal]),
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    prompt.close();
  }
}
