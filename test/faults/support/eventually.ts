/** Asks again and again until `look` gives something other than undefined or false; says what it waited for. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  options: { readonly timeoutMs?: number; readonly hint?: () => string } = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 20_000;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) {
      throw new Error(`${what}: not within ${timeoutMs} ms${options.hint ? `\n${options.hint()}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
