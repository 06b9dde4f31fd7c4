import { openConnection } from './connection.ts';
import { isNotFound, jetStreamError } from './topology.ts';
import { keysOf, type VmKnownOptions } from './vm-known.ts';

/** As `isVmKnown`, by NATS's client library: over TLS, with keys, with several servers. Rejects with a `broker_*` error. */
export async function isVmKnownByLibrary(options: VmKnownOptions, vm: string): Promise<boolean> {
  const connection = await openConnection(options);
  try {
    const manager = await connection.jetstreamManager({
      checkAPI: false,
      timeout: options.timeoutMs ?? 5_000,
    });
    const isThere = async ([stream, subject]: [string, string]) => {
      try {
        const { header } = await manager.streams.getMessage(stream, { last_by_subj: subject });
        return !header?.has('KV-Operation');
      } catch (error) {
        if (isNotFound(error)) return false;
        throw jetStreamError(error);
      }
    };
    const found = await Promise.all(Object.entries(keysOf(options.prefix, vm)).map(isThere));
    return found.includes(true);
  } finally {
    // Nothing is under way that a drain would wait for, and the process is about to end.
    void connection.close();
  }
}
