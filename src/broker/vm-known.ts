import { createSubjects } from '../messages/subjects.ts';
import { type BrokerOptions, openConnection } from './connection.ts';
import { isNotFound, jetStreamError } from './topology.ts';

/**
 * Whether anything is known of a VM: a route, or a profile at some replica. Without either there is nothing to
 * warm. One connection and one round trip, and none of the schemas is loaded: for a hypervisor's hook, which
 * is asked about every guest. Rejects with a `broker_*` error.
 */
export async function isVmKnown(options: Omit<BrokerOptions, 'logger'>, vm: string): Promise<boolean> {
  const { buckets } = createSubjects(options.prefix);
  const connection = await openConnection(options);
  try {
    const manager = await connection.jetstreamManager({
      checkAPI: false,
      timeout: options.timeoutMs ?? 5_000,
    });
    const isThere = async (bucket: string, key: string) => {
      try {
        const subject = `$KV.${bucket}.${key}`;
        const { header } = await manager.streams.getMessage(`KV_${bucket}`, { last_by_subj: subject });
        return !header?.has('KV-Operation');
      } catch (error) {
        if (isNotFound(error)) return false;
        throw jetStreamError(error);
      }
    };
    const found = await Promise.all([isThere(buckets.routes, vm), isThere(buckets.profiles, `*.${vm}`)]);
    return found.includes(true);
  } finally {
    // Nothing is under way that a drain would wait for, and the process is about to end.
    void connection.close();
  }
}
