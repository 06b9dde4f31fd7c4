/** What a process of agents is told when it starts. */
export interface AgentWorkerConfig {
  /** An agent's file with everything but the replica and its VMs. */
  readonly file: string;
  readonly agents: readonly { readonly replica: string; readonly vms: readonly string[] }[];
  readonly workSet: { readonly blocks: number; readonly ranges: number };
  readonly relations: number;
}

export type WorkerCommand = { readonly kind: 'memory' } | { readonly kind: 'stop' };

/** Times are milliseconds since 1970 with their fractions. */
export type WorkerReport =
  /** The code is loaded; no agent runs yet. */
  | { readonly kind: 'loaded'; readonly rssBytes: number }
  /** Every agent is connected and runs. */
  | { readonly kind: 'running' }
  /** After a collection of garbage. */
  | { readonly kind: 'memory'; readonly rssBytes: number }
  /** The first read for a VM by this process. */
  | { readonly kind: 'read'; readonly vm: string; readonly atMs: number }
  | { readonly kind: 'error'; readonly message: string };
