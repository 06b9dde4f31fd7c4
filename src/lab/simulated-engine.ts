import type {
  Engine,
  LocalRelation,
  Observation,
  PoolState,
  ServerHealth,
  VmObservation,
} from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import { type BlockRanges, emptyRanges, rangesOf, subtract, union } from '../planning/block-ranges.ts';
import { relationKey, type WorkSet, type WorkSetRelation } from '../planning/work-set.ts';

export interface SimulatedEngineOptions {
  readonly replica: string;
  /** Blocks of its one table that each VM keeps in the source's pool. */
  readonly workSetBlocks: number;
  /** So many ranges of equal length with gaps between; 1 by default. */
  readonly workSetRanges?: number;
  readonly poolBlocks?: number;
  readonly msPerStep?: number;
  /** VMs that read here all the time, so many relations each. */
  readonly readers?: { readonly vms: readonly string[]; readonly relations: number };
  /** Called when a read of a VM's blocks begins. */
  readonly onRead?: (vm: string) => void;
}

const blockBytes = 8192;

/**
 * A mock: a database server that exists in memory alone, for tests of the protocol and for measuring
 * the coordination of thousands of agents. Everything around it is real.
 */
export class SimulatedEngine implements Engine {
  readonly kind = 'postgres' as const;
  readonly tells = { readsOfVms: true, heatOfBlocks: true };
  readonly #options: Required<SimulatedEngineOptions>;
  readonly #seen = new Map<string, VmObservation>();
  #resident = new Map<string, BlockRanges>();
  #disk: Promise<void> = Promise.resolve();
  /** Blocks that were read, again if they were read again. */
  blocksRead = 0;
  /** While false every call fails as it does when a server is away. */
  up = true;
  lagMs: number | null = 0;

  constructor(options: SimulatedEngineOptions) {
    this.#options = {
      workSetRanges: 1,
      poolBlocks: 65_536,
      msPerStep: 0,
      readers: { vms: [], relations: 0 },
      onRead: () => {},
      ...options,
    };
    const { vms, relations } = this.#options.readers;
    for (const vm of vms) this.#seen.set(vm, observationOf(vm, relations));
  }

  /** All, as a restart of a server does, or the first so many blocks of each relation. */
  loseCache(blocks = Number.POSITIVE_INFINITY): void {
    const lost = rangesOf([[0, Math.min(blocks, 2 ** 31), 0]]);
    this.#resident = new Map([...this.#resident].map(([key, held]) => [key, subtract(held, lost)]));
  }

  /** No read and no walk of the pool comes back until the result is called: a disk, or a server, that hangs. */
  stall(): () => void {
    let resume = () => {};
    this.#disk = new Promise((resolve) => {
      resume = resolve;
    });
    return resume;
  }

  async identify() {
    this.#answer();
    return {
      kind: this.kind,
      version: 'simulated',
      systemId: '1',
      poolBlocks: this.#options.poolBlocks,
      blockBytes,
      databases: ['app'],
      replica: true,
      means: 'simulated',
      canWarm: true,
      degraded: [],
    };
  }

  async health(): Promise<ServerHealth> {
    this.#answer();
    return { lagMs: this.lagMs, replaying: this.lagMs !== null, active: 0, ioWaiting: 0, statements: null };
  }

  readonly observer = {
    sample: async () => this.#answer(),
    collect: async (): Promise<Observation> => ({
      windowMs: 1000,
      vms: this.#seen,
      unmatched: { sessions: 0, blocks: 0 },
    }),
  };

  async workSet(vm: string): Promise<WorkSet> {
    await this.#disk;
    this.#answer();
    const relation: WorkSetRelation = {
      ...this.#relation(vm),
      share: 1,
      ranges: this.#workSetRanges(),
    };
    return {
      vm,
      source: this.#options.replica,
      systemId: '1',
      blockBytes,
      takenAt: new Date().toISOString(),
      blocksKnown: true,
      secondTier: 'unknown',
      relations: [relation],
    };
  }

  async match(workSet: WorkSet) {
    this.#answer();
    return workSet.relations.map((wanted) => {
      const local = this.#relation(wanted.name);
      return wanted.filenode === local.filenode
        ? { wanted, verdict: 'blocks' as const, local }
        : { wanted, verdict: 'relation' as const, local, reason: 'the source told no blocks' };
    });
  }

  async poolState(relations: readonly LocalRelation[]): Promise<PoolState> {
    this.#answer();
    const resident = new Map(relations.map((one) => [relationKey(one), this.#held(relationKey(one))]));
    let used = 0;
    for (const ranges of this.#resident.values()) for (const length of ranges.lengths) used += length;
    return {
      known: true,
      poolBlocks: this.#options.poolBlocks,
      freeBlocks: this.#options.poolBlocks - used,
      blocksByHeat: [0, used, 0, 0, 0, 0],
      resident,
      osCacheBytes: null,
    };
  }

  async warm(step: { relation: LocalRelation; wanted: readonly number[] }) {
    this.#options.onRead(step.relation.name);
    await systemClock.sleep(this.#options.msPerStep);
    await this.#disk;
    this.#answer();
    const key = relationKey(step.relation);
    let blocks = 0;
    for (let i = 0; i < step.wanted.length; i += 2) {
      const [start, end] = [step.wanted[i]!, step.wanted[i + 1]!];
      this.#resident.set(key, union(this.#held(key), rangesOf([[start, end - start, 1]])));
      blocks += end - start;
    }
    this.blocksRead += blocks;
    return { blocks, ms: this.#options.msPerStep };
  }

  async foresee() {}

  async raiseHeat() {
    this.#answer();
  }

  async check() {
    return [];
  }

  async close() {}

  #held(key: string): BlockRanges {
    return this.#resident.get(key) ?? emptyRanges;
  }

  /** Each range is followed by a gap of its own length, but for a single one. */
  #workSetRanges(): BlockRanges {
    const { workSetBlocks, workSetRanges } = this.#options;
    const length = Math.ceil(workSetBlocks / workSetRanges);
    return rangesOf(
      Array.from({ length: workSetRanges }, (_, i) => [
        2 * i * length,
        Math.max(0, Math.min(length, workSetBlocks - i * length)),
        3,
      ]),
    );
  }

  #relation(vm: string): LocalRelation {
    const name = vm;
    return {
      database: 'app',
      schema: 'public',
      name,
      kind: 'table',
      fork: 'main',
      oid: 1,
      filenode: `1/1/${name}`,
      sizeBlocks: this.#options.workSetBlocks * (this.#options.workSetRanges === 1 ? 1 : 2),
    };
  }

  #answer(): void {
    if (!this.up) throw new ForewarmError('database_unreachable', `${this.#options.replica} is down`);
  }
}

/** The same in every window: relations that a VM reads with falling shares. */
function observationOf(vm: string, relations: number): VmObservation {
  const blocks = Array.from({ length: relations }, (_, i) => Math.ceil(10_000 / (i + 1)));
  const total = blocks.reduce((sum, count) => sum + count, 0);
  return {
    blocks: total,
    blocksHit: total,
    blocksRead: 0,
    splitBlocks: 0,
    relations: blocks.map((count, i) => ({
      ref: { database: 'app', schema: 'public', name: i === 0 ? vm : `${vm}_${i}`, kind: 'table' },
      oid: i + 1,
      blocks: count,
    })),
    unexplained: [],
  };
}
