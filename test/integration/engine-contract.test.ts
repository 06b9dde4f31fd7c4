import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../src/engines/create-engine.ts';
import type { Engine, EngineKind, RelationMatch } from '../../src/engines/engine.ts';
import { openAppClient } from '../../src/lab/app-client.ts';
import type { Database, DatabaseServer } from '../../src/lab/experiment/database.ts';
import { databaseKinds } from '../../src/lab/experiment/databases.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { ForewarmError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { blockCount, emptyRanges, intersect, singleRange } from '../../src/planning/block-ranges.ts';
import { spansOf } from '../../src/planning/range-cuts.ts';
import { relationKey, type WorkSet } from '../../src/planning/work-set.ts';
import { mysqlKinds } from './mysql-kinds.ts';

const kinds: readonly EngineKind[] = ['postgres', ...mysqlKinds];
const [mine, theirs] = ['app1_data', 'app2_data'];
const poolMb = 64;

/** The same scenarios for every engine: whatever the agent counts on, of whatever product. */
describe.each(kinds)('what the agent counts on, of %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let database: Database;
  let atSource: DatabaseServer;
  let atTarget: DatabaseServer;
  let source: Engine;
  let target: Engine;
  let workSet: WorkSet;

  const engineOn = ({ name, agentDatabase }: DatabaseServer) =>
    createEngine(kind, {
      ...{ replica: name, url: agentDatabase.url, databases: [], statementTimeoutMs: 10_000 },
      vms: ['app1', 'app2'].map((vm) => ({ vm, user: vm })),
      logger: silentLogger,
    });

  /** Reads of one VM at the source, as an application makes them, and what was seen of all VMs before its session ended. */
  async function observed(vm: string, table: string) {
    const client = await openAppClient({ dsn: atSource.url, vm, table });
    for (let i = 0; i < 200; i++) await client.read([1 + 20 * i, 20 + 20 * i]);
    await source.observer.sample();
    const { vms } = await source.observer.collect();
    await client.close();
    return vms;
  }

  const matchOf = async (engine: Engine, table: string): Promise<RelationMatch> => {
    const found = (await engine.match(workSet)).find(
      ({ wanted }) => wanted.name === table && wanted.kind === 'table' && wanted.fork === 'main',
    );
    if (found === undefined) throw new Error(`${table} is not in the work set`);
    return found;
  };

  beforeAll(async () => {
    database = await databaseKinds[kind].start({
      ...{ owned, poolMb, replicas: ['db1', 'db2'] },
      tables: [
        { vm: 'app1', name: mine, sizeMb: 24 },
        { vm: 'app2', name: theirs, sizeMb: 12 },
      ],
    });
    [atSource, atTarget] = [database.server('db1'), database.server('db2')];
    [source, target] = [engineOn(atSource), engineOn(atTarget)];
    await atTarget.caughtUp();
  });

  afterAll(async () => {
    await source?.close();
    await target?.close();
    await owned.dispose();
  });

  it('who the server is, and that nothing is amiss for the role of setup.sql', async () => {
    const identity = await source.identify();
    expect(identity).toMatchObject({ kind, replica: true, canWarm: true, degraded: [] });
    expect(database.version).toContain(identity.version.split(/[- ]/)[0]);
    const poolBytes = identity.poolBlocks * identity.blockBytes;
    expect(Math.abs(poolBytes - poolMb * 2 ** 20)).toBeLessThan(2 ** 20);
    expect((await source.check()).filter(({ level }) => level === 'fault')).toEqual([]);
    expect(await source.health()).toMatchObject({ replaying: true, lagMs: 0 });
  });

  it('which relations a VM touches, and none of another', async () => {
    await source.observer.collect();
    const seen = new Map<string, Set<string>>();
    for (let i = 0; i < 4; i++) {
      const vms = await observed('app1', mine);
      for (const [vm, { relations }] of vms) {
        const names = seen.get(vm) ?? new Set();
        seen.set(vm, names);
        for (const { ref, blocks } of relations) if (blocks > 0) names.add(ref.parent ?? ref.name);
      }
    }
    expect([...seen.keys()]).toEqual(['app1']);
    const tables = [...(seen.get('app1') ?? [])].map((name) => name.split('.').at(-1));
    expect(new Set(tables)).toEqual(new Set([mine]));
  });

  const profile = [mine, theirs, 'nowhere'].map(
    (name): ProfileRelation => ({
      ...{ database: 'app', schema: kind === 'postgres' ? 'public' : 'app', name, kind: 'table' },
      ...{ weight: 1, share: 1 / 3 },
    }),
  );

  it('what of them the source holds', async () => {
    await atSource.bringIn(mine);
    workSet = await source.workSet('app1', profile);
    expect(workSet).toMatchObject({ vm: 'app1', source: 'db1', blocksKnown: true });
    const blocks = (name: string) =>
      workSet.relations
        .filter((relation) => relation.name === name)
        .reduce((sum, { ranges }) => sum + blockCount(ranges), 0);
    expect(blocks(mine) * workSet.blockBytes).toBeGreaterThan(20 * 2 ** 20);
    expect(blocks('nowhere')).toBe(0);
  });

  it('where a relation stands at the target, and where it does not', async () => {
    expect(await matchOf(target, mine)).toMatchObject({ verdict: 'blocks' });
    const [first] = workSet.relations;
    const strange = { ...workSet, relations: [{ ...first!, name: 'nowhere', parent: 'nowhere' }] };
    const [absent] = await target.match(strange);
    expect(absent).toMatchObject({ verdict: 'absent' });
    expect(absent?.reason).toMatch(/\w/);
  });

  it('that a cold target holds after warming what was planned, no more, and another time reads nothing', async () => {
    await atTarget.stop();
    await atTarget.start();
    await atTarget.caughtUp();
    await expect
      .poll(() =>
        target.identify().then(
          ({ replica }) => replica,
          () => false,
        ),
      )
      .toBe(true);
    await target.foresee(profile, 3);
    const { wanted, local } = await matchOf(target, mine);
    if (local === undefined) throw new Error('not at the target');
    const spans = [...spansOf(wanted.ranges)].flatMap(({ start, end }) => [start, end]);
    const held = async () => {
      const pool = await target.poolState([local]);
      expect(pool.known).toBe(true);
      return blockCount(intersect(wanted.ranges, pool.resident.get(relationKey(local)) ?? emptyRanges));
    };
    const all = blockCount(wanted.ranges);
    expect(await held()).toBeLessThan(all / 2);
    const strangers = await atTarget.reads(theirs);
    const step = { relation: local, tier: 'pool', readThrough: [], wanted: spans } as const;
    expect((await target.warm(step)).blocks).toBe(all);
    expect(await held()).toBeGreaterThanOrEqual(0.95 * all);
    const missed = () => atTarget.missedBytes('forewarm', mine);
    const before = await missed();
    await target.warm(step);
    await target.raiseHeat(local, spans);
    expect((await missed()) - before).toBeLessThan(0.02 * all * workSet.blockBytes);
    expect((await atTarget.reads(theirs)) - strangers).toBe(0);
  });

  it('that a pace is kept, and that what is read at one is all there', async () => {
    const { local } = await matchOf(target, mine);
    const wanted = [0, 60, 80, 100];
    const msPerBlock = 4;
    const pace = { msPerBlock, pieceBlocks: 7 };
    const step = { relation: local!, tier: 'pool', wanted, pace } as const;
    for (const readThrough of [[], [0, 100]]) {
      const { blocks, ms } = await target.warm({ ...step, readThrough });
      expect(blocks).toBe(80);
      expect(ms).toBeGreaterThan(msPerBlock * (readThrough.length > 0 ? 100 : 80) * 0.95);
    }
    const { resident } = await target.poolState([local!]);
    const held = intersect(singleRange(0, 100, 1), resident.get(relationKey(local!)) ?? emptyRanges);
    expect(blockCount(held)).toBeGreaterThanOrEqual(80);
  });

  it('that residents have read what was not in the pool', async () => {
    await atTarget.stop();
    await atTarget.start();
    await atTarget.caughtUp();
    const reads = () =>
      target.health().then(
        ({ statements }) => statements?.reads ?? 0,
        () => 0,
      );
    const client = await openAppClient({ dsn: atTarget.url, vm: 'app2', table: theirs });
    await client.read([1, 2]);
    const before = await reads();
    for (let i = 0; i < 60; i++) await client.read([1 + 150 * i, 2 + 150 * i]);
    await client.close();
    await expect.poll(reads).toBeGreaterThanOrEqual(before + 20);
  });

  it('that a stop is heeded', async () => {
    const { local } = await matchOf(target, mine);
    const step = { relation: local!, tier: 'pool', readThrough: [], wanted: [0, local!.sizeBlocks] } as const;
    const stopped = target.warm(step, AbortSignal.abort(new Error('enough')));
    const outcome = await stopped.then(
      ({ blocks }) => blocks,
      () => 0,
    );
    expect(outcome).toBe(0);
    expect((await target.warm({ ...step, wanted: [0, 1] })).blocks).toBe(1);
  });

  it('a code that says so while the server is away, and service after it', async () => {
    await atTarget.stop();
    const error = await target.health().then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(ForewarmError);
    expect((error as ForewarmError).code).toBe('database_unreachable');
    // Nobody may wait for it, so that a rejection which it leaves behind would end the agent, and this run.
    const named = workSet.relations.map((relation) => ({ ...relation, weight: relation.share }));
    await target.foresee(named, 4).catch(() => {});
    await atTarget.start();
    await expect
      .poll(() =>
        target.health().then(
          ({ replaying }) => replaying,
          () => false,
        ),
      )
      .toBe(true);
    expect(await target.identify()).toMatchObject({ kind, replica: true });
  });
});
