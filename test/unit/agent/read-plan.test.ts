import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ReadContext, readPlan, type StepReport } from '../../../src/agent/read-plan.ts';
import type { LocalRelation, WarmStep } from '../../../src/engines/engine.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { singleRange } from '../../../src/planning/block-ranges.ts';
import { createCostModel } from '../../../src/planning/cost-model.ts';

const blockBytes = 8_192;
const blocks = 4_096;
const relation: LocalRelation = {
  ...{ database: 'app', schema: 'public', name: 'items', kind: 'table', fork: 'main' },
  ...{ oid: 1, filenode: '1/1/1', sizeBlocks: blocks },
} as LocalRelation;

/** Reads 32 MiB through mocks of the server and of what is known of it; `lateness`: how often as long as its pace a step takes. */
async function read(changed: { readsPerStatement?: number; known?: boolean; lateness?: number }) {
  const { readsPerStatement = 0.03, known = true, lateness = 1 } = changed;
  const steps: WarmStep[] = [];
  const reports: StepReport[] = [];
  let learned = 0;
  let nowMs = 0;
  vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => nowMs);
  const engine = {
    warm: async (step: WarmStep) => {
      steps.push(step);
      const read = step.wanted[1]! - step.wanted[0]!;
      nowMs += lateness * read * (step.pace?.msPerBlock ?? 0);
      return { blocks: read, ms: 1 };
    },
  };
  const device = {
    ...{ model: createCostModel(), cuttingCost: createCostModel(), known },
    bound: (limits: unknown) => limits,
    learn: () => {
      learned += 1;
    },
  };
  const watch = {
    usual: { readsPerStatement, latencyMs: null },
    whileWarming: { latencyMs: null, statements: 0 },
    ...{ health: null, look: async () => {} },
  };
  const context = {
    ...{ engine, device, watch, blockBytes, stepBytes: 8 * 2 ** 20, connections: 1, residentsFraction: 0.2 },
    trial: { underWay: null, cause: null, reading: () => () => {} },
    place: { readers: 1, outdated: false, turn: async () => () => 1, spend: () => {} },
    ...{ maxLagMs: 10_000, deadlineMs: null, arrived: () => false },
    onStep: (report: StepReport) => reports.push(report),
  } as unknown as ReadContext;
  const segment = { relation, tier: 'pool', ranges: singleRange(0, blocks, 1), blocks } as const;
  const complete = await readPlan([segment as never], context, new AbortController().signal);
  const wanted = steps.map((step) => step.wanted[1]! - step.wanted[0]!);
  expect([complete, wanted.reduce((sum, count) => sum + count, 0)]).toEqual([true, blocks]);
  const spared = reports.reduce((sum, { throttledMs }) => sum + (throttledMs.residents_read ?? 0), 0);
  return { steps, wanted, learned, spared };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a plan that is read beside residents', () => {
  it('is read in short steps, each with a pace, that teach nothing of the disk', async () => {
    const { steps, wanted, learned, spared } = await read({});
    expect(Math.max(...wanted)).toBe(256);
    for (const { pace } of steps) expect(pace?.msPerBlock).toBeCloseTo((blockBytes * 8e-6) / 0.8);
    expect(learned).toBe(0);
    expect(spared).toBeCloseTo((0.2 * blocks * blockBytes * 8e-6) / 0.8);
  });

  it('teaches what the disk costs where it cannot keep the pace', async () => {
    const { learned, spared, steps } = await read({ lateness: 1.6 });
    expect(learned).toBe(steps.length - 1);
    expect(spared).toBe(0);
  });

  it('is read at full pace where they read nothing, and in pieces while the disk is measured', async () => {
    const alone = await read({ readsPerStatement: 0 });
    expect(alone.steps.filter(({ pace }) => pace !== undefined)).toEqual([]);
    expect(alone.wanted[0]).toBe(1_024);
    const measured = await read({ known: false });
    for (const { pace } of measured.steps) expect(pace).toEqual({ msPerBlock: 0, pieceBlocks: 64 });
    expect(measured.learned).toBe(measured.steps.length - 1);
    expect(measured.spared).toBe(0);
  });
});
