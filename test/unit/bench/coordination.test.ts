import { describe, expect, it } from 'vitest';
import type { RoundEvidence } from '../../../src/bench/coordination/coordination.ts';
import { idleFigures, isLost, roundFigures, spread } from '../../../src/bench/coordination/figures.ts';
import { figuresOf, goalsOf } from '../../../src/bench/coordination/report.ts';
import { planIntents } from '../../../src/bench/coordination/schedule.ts';
import {
  fullSettings,
  killedProcesses,
  replicasOf,
  vmsOf,
} from '../../../src/bench/coordination/settings.ts';
import type { SiteReading } from '../../../src/bench/coordination/site.ts';
import { quantile } from '../../../src/bench/quantile.ts';

const settings = { ...fullSettings, replicas: 30, vms: 300, intents: 50, overMs: 1_000, seed: 7 };

describe('the plan of a run', () => {
  it('moves each VM once, from where it reads to another replica, evenly over the time', () => {
    const both = [...planIntents(settings, 'steady'), ...planIntents(settings, 'killed')];
    expect(new Set(both.map(({ vm }) => vm)).size).toBe(100);
    expect(new Set(both.map(({ id }) => id)).size).toBe(100);
    for (const { vm, source, target } of both) {
      expect(vmsOf(Number(source.slice(2)), settings)).toContain(vm);
      expect(target).not.toBe(source);
      expect(Number(target.slice(2))).toBeLessThan(30);
    }
    expect(both.slice(0, 3).map(({ atMs }) => atMs)).toEqual([0, 20, 40]);
  });

  it('is the same for the same seed', () => {
    expect(planIntents(settings, 'killed')).toEqual(planIntents(settings, 'killed'));
    expect(planIntents({ ...settings, seed: 8 }, 'killed')).not.toEqual(planIntents(settings, 'killed'));
  });

  it('refuses more moves than there are VMs', () => {
    expect(() => planIntents({ ...settings, vms: 99 }, 'steady')).toThrow('100 VMs');
  });

  it('gives each replica and each VM to one process', () => {
    const processes = Array.from({ length: settings.processes }, (_, i) => i);
    const replicas = processes.flatMap((process) => replicasOf(process, settings));
    expect(replicas.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(new Set(replicas.flatMap((replica) => vmsOf(replica, settings))).size).toBe(300);
    expect([1, 2, 3, 6].map((processes) => killedProcesses({ processes }))).toEqual([1, 1, 1, 2]);
  });
});

const reading = (atS: number, messages: number, cpuMs = 0): SiteReading => ({
  atMs: atS * 1_000,
  nats: {
    ...{ inMsgs: messages, outMsgs: messages, inBytes: messages * 10, outBytes: messages * 10 },
    ...{ memBytes: 0, connections: 0 },
  },
  natsCpuMs: cpuMs,
  agentsCpuMs: cpuMs * 2,
});

const good: RoundEvidence['traces'][number] = {
  ...{ id: 'steady-0', vm: 'app1', target: 'db2', killed: false, acceptedEvents: 1, storedAcceptances: 1 },
  ...{ publishedMs: 100, takenMs: 104, announcedMs: 109, acceptedMs: 110, firstReadMs: 130, readyMs: 150 },
  record: { state: 'completed', target: 'db2' },
  route: 'db2',
};

describe('the figures of a round', () => {
  const traces = [
    good,
    { ...good, id: 'steady-1', publishedMs: 90, killed: true },
    { ...good, id: 'steady-2', storedAcceptances: 2 },
  ];
  const evidence: RoundEvidence = {
    name: 'steady',
    traces,
    before: reading(0, 0),
    after: reading(10, 400, 5_000),
  };
  const run = {
    ...{ settings, startMs: 0, memory: { nats: 1, agent: 2e6, code: 3 }, rounds: [evidence], errors: [] },
    idle: [reading(0, 0), reading(10, 50, 1_000)] as const,
  };

  it('tell the times, and where the time to accepted goes', () => {
    const figures = roundFigures(evidence, run);
    expect(figures.accepted).toMatchObject({ count: 3, p50: 10, max: 20 });
    expect(figures.firstRead.p50).toBe(30);
    expect(figures.steps.taken.p50).toBe(4);
    expect(figures.steps.stored.p50).toBe(5);
    expect(figures.steps.seen.p50).toBe(1);
    expect(figures.acceptedTwice).toEqual(['steady-2']);
  });

  it('leave out what flows while nothing moves', () => {
    const figures = roundFigures(evidence, run);
    expect(figures.messagesAnIntent).toBeCloseTo((800 - 100) / 3);
    expect(figures.bytesAnIntent).toBeCloseTo((8_000 - 1_000) / 3);
    expect(figures).toMatchObject({ natsCores: 0.5, agentsCores: 1 });
    expect(idleFigures(run)).toMatchObject({ messages: 100 / 10 / 30, natsCores: 0.1, agentsCores: 0.2 });
  });

  it('are told apart by whether the agent was killed', () => {
    expect(roundFigures(evidence, run, 'killed')).toMatchObject({ intents: 1, accepted: { p50: 20 } });
    expect(roundFigures(evidence, run, 'spared')).toMatchObject({ intents: 2, accepted: { p50: 10 } });
  });

  it('are held against the figures to reach', () => {
    expect(goalsOf([run]).map(({ met }) => met)).toEqual(['yes', 'yes', 'no']);
    const late = {
      ...evidence,
      traces: [
        { ...good, acceptedMs: 400 },
        { ...good, route: 'db1' },
      ],
    };
    expect(goalsOf([{ ...run, rounds: [late] }]).map(({ met }) => met)).toEqual(['no', 'no', 'yes']);
  });

  it('keep every sample for a comparison', () => {
    const [accepted, p99] = figuresOf([run]).filter(({ name }) => name.startsWith('accepted'));
    expect(accepted).toMatchObject({ of: 'steady', statistic: 'median', values: [10, 20, 10] });
    expect(p99).toMatchObject({ statistic: 'p99', values: [10, 20, 10] });
  });
});

describe('a lost migration', () => {
  const { record, route, ...bare } = good;
  it.each([
    ['none', good, false],
    ['without a record', { ...bare, route: 'db2' }, true],
    ['that did not end well', { ...good, record: { state: 'expired', target: 'db2' } as const }, true],
    ['whose VM has no route', { ...bare, record: record! }, true],
    ['whose VM reads elsewhere', { ...good, route: `${route}0` }, true],
    ['whose acceptance is not in the audit trail', { ...good, storedAcceptances: 0 }, true],
  ])('%s', (_, trace, lost) => {
    expect(isLost(trace)).toBe(lost);
  });
});

describe('quantiles', () => {
  it('lie between the values', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3], 0)).toBe(1);
    expect(quantile([1, 2, 3], 1)).toBe(3);
    expect(quantile([5], 0.99)).toBe(5);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('make a spread', () => {
    const values = Array.from({ length: 101 }, (_, i) => i);
    expect(spread(values)).toEqual({ count: 101, p50: 50, p99: 99, max: 100 });
    expect(spread([]).max).toBeNaN();
  });
});
