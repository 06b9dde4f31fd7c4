import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker } from '../../../src/broker/broker.ts';
import type { HookConfig } from '../../../src/config/options.ts';
import { parseCall } from '../../../src/hypervisor/libvirt-call.ts';
import { answerCall, type HookAnswer, type HookParts } from '../../../src/hypervisor/libvirt-hook.ts';
import { PendingMigrations } from '../../../src/hypervisor/pending.ts';

/** Recorded calls of libvirt 9.0 on two hosts, answered in their order by a hook on each host. */

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forewarm-calls-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hosts = { hv1: 'db1', hv2: 'db2' };

function partsOf(host: keyof typeof hosts, xml: string, changes: Partial<HookParts> = {}): HookParts {
  const state = join(folder, host);
  const nats = { url: 'nats://none', prefix: 'forewarm', timeoutMs: 1 };
  const config: HookConfig = {
    ...{ nats: { ...nats, creds: undefined, user: undefined, password: undefined, token: undefined } },
    ...{ hosts, host, guests: {}, waitMs: 20_000, policy: 'proceed', state, logFile: undefined },
  };
  return {
    glance: () => ({
      ...{ text: '', nats, replica: hosts[host], guests: {}, waitMs: 20_000, state, logFile: undefined },
    }),
    loadConfig: async () => config,
    asksToRefuse: () => false,
    readXml: async () => xml,
    isVmKnown: async (_, vm) => vm === 'app1' || vm === 'kvm1',
    bound: (ms) => ms,
    announcements: async () => ({
      warmForGuest: async ({ guest, vm, target, pending }) => {
        said.push(`${host}: intent ${vm} to ${target}`);
        pending.write({ guest, vm, id: `m-${vm}`, target, deadline: new Date().toISOString() });
        return { warm: true, line: 'ready' };
      },
      announcing: async (_, __, work) => await work({} as Broker),
      sayUndone: async (_, note) => {
        said.push(`${host}: aborted ${note.id}`);
        return 'said';
      },
      sayLeft: async (_, { vm, own }) => {
        said.push(`${host}: ${vm} left ${own}`);
        return 'arrived';
      },
    }),
    ...changes,
  };
}

/** Answers each call of a recording; `extra` stands for the reason that newer libvirts give with `release end`. */
async function replay(run: string, extra?: string): Promise<HookAnswer[]> {
  const where = new URL(`recorded/${run}/`, import.meta.url);
  const answers: HookAnswer[] = [];
  for (const name of readdirSync(where)
    .filter((file) => file.endsWith('.args'))
    .sort()) {
    const args = readFileSync(new URL(name, where), 'utf8').trim().split('\n');
    if (extra !== undefined && args[1] === 'release') args[3] = extra;
    const xml = readFileSync(new URL(name.replace('.args', '.xml'), where), 'utf8');
    const host = name.split('-')[1] as keyof typeof hosts;
    answers.push(await answerCall(parseCall(args)!, partsOf(host, xml)));
  }
  return answers;
}

const noteAt = (host: string) => new PendingMigrations(join(folder, host)).read('app1');

describe('recorded calls', () => {
  test('a migration that succeeds: an intent at the destination, nothing from the source', async () => {
    const answers = await replay('run31-clean-1to2');
    expect(answers.every(({ allow }) => allow)).toBe(true);
    expect(said).toEqual(['hv2: intent app1 to db2']);
    expect(noteAt('hv2')).toMatchObject({ id: 'm-app1', target: 'db2' });
  });

  test('a migration that succeeds, with the reason: the source says that it left', async () => {
    await replay('run31-clean-1to2', 'migrated');
    expect(said).toEqual(['hv2: intent app1 to db2', 'hv1: app1 left db1']);
  });

  test('there and back: the first host closes the note of the arrival there that nobody told', async () => {
    await replay('run31-clean-1to2');
    await replay('run32-clean-2to1', 'migrated');
    expect(said).toEqual([
      ...['hv2: intent app1 to db2', 'hv1: intent app1 to db1'],
      ...['hv2: aborted m-app1', 'hv2: app1 left db2'],
    ]);
    expect(noteAt('hv2')).toBeUndefined();
    expect(noteAt('hv1')).toMatchObject({ target: 'db1' });
  });

  test.each([undefined, 'failed'])(
    'one aborted while memory moves is closed once (reason %s)',
    async (extra) => {
      await replay('run12-domjobabort', extra);
      expect(said).toEqual(['hv1: intent app1 to db1', 'hv1: aborted m-app1']);
      expect(noteAt('hv1')).toBeUndefined();
    },
  );

  test('one refused in migrate begin leaves no more than its note', async () => {
    await replay('run6-exit1-migrate-begin');
    expect(said).toEqual(['hv2: intent app1 to db2']);
  });

  test('an offline migration, and another guest that ends', async () => {
    await replay('run23-offline');
    expect(said).toEqual(['hv2: intent app1 to db2']);
  });

  test.each([undefined, 'destroyed'])('a destroyed guest was not migrated (reason %s)', async (extra) => {
    await replay('run22-destroy', extra);
    expect(said).toEqual([]);
  });

  test('a start is nothing to us', async () => {
    await replay('run30-define-start');
    expect(said).toEqual([]);
  });
});

describe('what is not loaded', () => {
  const forbidden = async () => {
    throw new Error('loaded for nothing');
  };
  const light = { loadConfig: forbidden, announcements: forbidden };

  test('a guest that nobody knows is answered from the glance', async () => {
    const parts = partsOf('hv2', '<domain/>', { ...light, isVmKnown: async () => false });
    const answer = await answerCall(parseCall(['web7', 'migrate', 'begin', '-'])!, parts);
    expect(answer).toMatchObject({
      allow: true,
      line: expect.stringContaining('no route and no profile of web7'),
    });
  });

  test('without a glance, nothing is published for a guest that nobody knows', async () => {
    const { announcements } = light;
    const parts = partsOf('hv2', '<domain/>', { announcements, glance: () => undefined });
    const answer = await answerCall(parseCall(['web7', 'migrate', 'begin', '-'])!, parts);
    expect(answer).toMatchObject({
      allow: true,
      line: expect.stringContaining('no route and no profile of web7'),
    });
  });

  test('a guest whose name is no VM is answered without NATS', async () => {
    const parts = partsOf('hv2', '<domain/>', { ...light, isVmKnown: forbidden });
    const answer = await answerCall(parseCall(['web 7', 'migrate', 'begin', '-'])!, parts);
    expect(answer.allow).toBe(true);
  });

  test.each(['stopped', 'release'])('%s end without a note', async (operation) => {
    const parts = partsOf('hv2', '<domain/>', { ...light, isVmKnown: forbidden });
    expect(await answerCall(parseCall(['app1', operation, 'end', '-'])!, parts)).toEqual({ allow: true });
  });
});

test.each([[[]], [['app1']], [['app1', 'migrate']], [['a', 'b', 'c', 'd', 'e']]])('%j is no call', (argv) => {
  expect(parseCall(argv)).toBeUndefined();
});
