import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Suite, SuiteLab, SuiteOutcome } from '../../../src/bench/suite.ts';
import { createSuiteCommand } from '../../../src/commands/bench.ts';

/** A stub of a suite: what is under test is what becomes of what it has measured when it does not come to its end. */
function suiteOf(run: (lab: SuiteLab) => Promise<SuiteOutcome>): Suite {
  return {
    ...{ name: 'stub', measures: 'nothing', needs: 'nothing', takes: 'no time', repetitions: 3 },
    stages: () => [{ text: 'the second arm', expectedMs: 1 }],
    run: (_, lab) => run(lab),
  };
}

function outcomeOf(values: readonly number[], report = () => '<h1>Stub</h1>'): SuiteOutcome {
  return {
    ...{ versions: {}, settings: {}, seen: { samples: values }, text: () => 'table', report },
    figures: [{ of: '', name: 'ready', unit: 'ms', better: 'less', values }],
  };
}

async function run(suite: Suite, controller = new AbortController()) {
  const out = mkdtempSync(join(tmpdir(), 'forewarm-bench-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  writeFileSync(join(out, 'report.html'), 'of an earlier run');
  const shown = { out: '', err: '' };
  const context = {
    ...{ env: {}, signal: controller.signal, exitStatus: 0, drains: false, onSignal: undefined },
    out: (text: string) => {
      shown.out += text;
    },
    err: (text: string) => {
      shown.err += text;
    },
  };
  const failure = await createSuiteCommand(context, suite)
    .parseAsync(['--out', out], { from: 'user' })
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  const read = (name: string) =>
    existsSync(join(out, name)) ? readFileSync(join(out, name), 'utf8') : undefined;
  const results = read('results.json');
  return {
    ...{ ...shown, failure, path: out, report: read('report.html') },
    results: results === undefined ? undefined : (JSON.parse(results) as Record<string, unknown>),
  };
}

test('an arm that fails late leaves what was measured before, marked, and the error is told', async () => {
  const error = new Error('the disk is full');
  const seen = await run(
    suiteOf(async ({ onPartial, onStage }) => {
      onPartial(() => outcomeOf([7]));
      onStage({ text: 'the second arm', expectedMs: 1 });
      throw error;
    }),
  );
  expect(seen.failure).toBe(error);
  expect(seen.results).toMatchObject({
    suite: 'stub',
    incomplete: { reason: 'failed: the disk is full', stage: 'the second arm' },
    figures: [{ values: [7] }],
    samples: [7],
  });
  expect(seen.report).toContain('incomplete: failed: the disk is full while: the second arm');
  expect(seen.err).toContain(`marked as incomplete: ${seen.path}`);
  expect(seen.out).toBe('');
});

test('a signal leaves what was measured before, at once, and the suite adds nothing behind it', async () => {
  const controller = new AbortController();
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const seen = await run(
    suiteOf(async ({ onPartial }) => {
      onPartial(() => outcomeOf([7]));
      controller.abort('SIGTERM');
      onPartial(() => outcomeOf([7, 8]));
      end();
      throw new Error('its servers are gone');
    }),
    controller,
  );
  await over;
  expect(seen.failure).toBe('SIGTERM');
  expect(seen.results).toMatchObject({ incomplete: { reason: 'ended by SIGTERM' }, samples: [7] });
});

test('where nothing was measured, what an earlier run has left stays', async () => {
  const seen = await run(suiteOf(() => Promise.reject(new Error('no server'))));
  expect(seen.results).toBeUndefined();
  expect(seen.report).toBe('of an earlier run');
  expect(seen.err).toContain('nothing was measured yet');
});

test('results without a possible report take the earlier report away', async () => {
  const seen = await run(
    suiteOf(async ({ onPartial }) => {
      onPartial(() =>
        outcomeOf([7], () => {
          throw new Error('no arm to draw');
        }),
      );
      throw new Error('late');
    }),
  );
  expect(seen.results).toMatchObject({ incomplete: { reason: 'failed: late' } });
  expect(seen.report).toBeUndefined();
  expect(seen.err).toContain('no report can be made of it: no arm to draw');
});

test('a run that comes to its end is not marked', async () => {
  const seen = await run(suiteOf(async () => outcomeOf([7, 8, 9])));
  expect(seen.failure).toBeUndefined();
  expect(seen.results).not.toHaveProperty('incomplete');
  expect(seen.report).toBe('<h1>Stub</h1>');
  expect(seen.out).toContain(`Results: ${seen.path}`);
});
