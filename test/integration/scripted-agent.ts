import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { wireVersion } from '../../src/messages/names.ts';
import type { MigrationRecord } from '../../src/messages/record.ts';
import type { MigrationState } from '../../src/messages/states.ts';
import { advance, recordFromIntent } from '../../src/migration/record.ts';
import type { Trigger } from '../../src/migration/transitions.ts';

export interface ScriptedAgentOptions {
  readonly url: string;
  readonly prefix: string;
  readonly replica: string;
  /** What it does with an intent, after having accepted it. */
  readonly script: readonly Trigger[];
  /** What it says that it waits for. */
  readonly waitsFor?: string;
  readonly estimate?: { readonly seconds: number; readonly fits: boolean; readonly reason?: string };
}

/** An agent without a database: it speaks the wire format as a real one does, along a script. */
export class ScriptedAgent {
  readonly broker: Broker;
  readonly #options: ScriptedAgentOptions;
  readonly #stop = new AbortController();
  readonly #records = new Map<string, MigrationRecord>();
  /** States in the order in which they were reached. */
  readonly states: MigrationState[] = [];
  #beating: NodeJS.Timeout | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(broker: Broker, options: ScriptedAgentOptions) {
    this.broker = broker;
    this.#options = options;
  }

  static async start(options: ScriptedAgentOptions): Promise<ScriptedAgent> {
    const { url, prefix, replica } = options;
    const broker = await connectBroker({ url, prefix, name: `scripted ${replica}`, logger: silentLogger });
    const agent = new ScriptedAgent(broker, options);
    await agent.#begin();
    return agent;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#beating);
    await this.broker.replicas.delete(this.#options.replica);
    await this.#ended;
    await this.broker.close();
  }

  /** One more step of the migration, when the test says so. */
  async go(id: string, trigger: Trigger): Promise<void> {
    await this.#trigger(id, trigger);
  }

  async #begin(): Promise<void> {
    const { broker } = this;
    const { replica } = this.#options;
    const at = new Date().toISOString();
    const refuse = async () => {
      throw new Error('not scripted');
    };
    const estimate = async (request: unknown) => this.#estimate(request as { vm: string });
    this.#ended = Promise.allSettled([
      broker.requests.serve(
        replica,
        { estimate, workset: refuse, chunk: refuse, profile: async () => this.#profile() },
        this.#stop.signal,
      ),
      broker.consumeIntents(
        replica,
        {
          handle: async ({ parsed }) => {
            if (!parsed.ok) return 'done';
            const { message } = parsed;
            if (message.kind === 'intent') {
              const record = recordFromIntent({ ...message, source: message.source ?? 'db1' }, new Date());
              await broker.vms.put(record.vm, { v: wireVersion, migration: record.id, target: replica, at });
              await this.#write(record);
              for (const trigger of this.#options.script) await this.#trigger(record.id, trigger);
            } else {
              await this.#trigger(message.id, message.kind === 'arrived' ? 'arrive' : 'abort');
            }
            return 'done';
          },
          onGivenUp: async () => {},
        },
        this.#stop.signal,
      ),
    ]);
    await this.#beat(at);
    // One sign of life is forgotten before a command has started on a busy machine.
    this.#beating = setInterval(() => void this.#beat(at).catch(() => {}), 2_000);
  }

  async #beat(at: string): Promise<void> {
    const { replica } = this.#options;
    await this.broker.replicas.put(replica, {
      v: wireVersion,
      replica,
      at,
      startedAt: at,
      agentVersion: '0',
      engine: 'postgres',
      version: '18.4',
      databases: ['app'],
      vms: ['app1'],
      canWarm: true,
      degraded: [],
      migrations: 0,
    });
  }

  async #trigger(id: string, trigger: Trigger): Promise<void> {
    const record = this.#records.get(id);
    const next = record === undefined ? null : advance(record, trigger, new Date());
    if (next === null) return;
    const plan = { blocks: 1_000, bytes: 8_192_000, skippedBlocks: 0 };
    const done = trigger === 'ready' ? 1_000 : 400;
    const failure = { code: 'no_work_set', message: 'the script says so' };
    const { waitsFor } = this.#options;
    await this.#write({
      ...next,
      plan,
      warmed: { blocks: done, bytesRead: done * 8_192, ms: 5, rounds: 1 },
      residency: done / 1_000,
      ...(trigger === 'fail' ? { error: failure } : {}),
      ...(waitsFor === undefined ? {} : { reason: waitsFor }),
    });
  }

  async #write(record: MigrationRecord): Promise<void> {
    const { id, vm, target, state } = record;
    this.#records.set(id, record);
    this.states.push(state);
    await this.broker.records.put(id, record);
    const at = new Date().toISOString();
    const source = record.source ?? 'db1';
    await this.broker.events.publish({ v: wireVersion, id, vm, source, target, state, at });
  }

  #estimate({ vm }: { readonly vm: string }) {
    const { replica, estimate } = this.#options;
    if (estimate === undefined) throw new Error('no estimate is scripted');
    const bytes = { workSetBytes: 1e6, residentBytes: 4e5, toReadBytes: 6e5, skippedBytes: 0 };
    return { v: wireVersion, replica, vm, source: 'db1', ...bytes, ...estimate };
  }

  #profile() {
    const relation = { database: 'app', schema: 'public', name: 'items', kind: 'table', share: 1 };
    return {
      v: wireVersion,
      replica: this.#options.replica,
      vm: 'app1',
      at: new Date().toISOString(),
      blockBytes: 8_192,
      relations: [{ ...relation, residentBlocks: 6, blocksByHeat: [2, 0, 0, 1, 2, 3] }],
      unexplainedShare: 0.25,
    };
  }
}
