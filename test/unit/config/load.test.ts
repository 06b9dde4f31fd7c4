import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/faults.ts';
import {
  type ConfigSource,
  loadAgentConfig,
  loadHookConfig,
  loadPublisherConfig,
} from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'forewarm-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let fileCount = 0;
function write(text: string): string {
  const file = join(folder, `${fileCount++}.yaml`);
  writeFileSync(file, text);
  return file;
}

const agentText = `replica: db2
nats: { url: "nats://127.0.0.1:4222", creds: /etc/forewarm/agent.creds }
database: { engine: postgres, url: "postgres://forewarm@127.0.0.1:5432/app", databases: [app] }
vms:                                  # first match wins; several conditions in a rule must all hold
  - { vm: app1, applicationName: "app1*" }
  - { vm: app2, user: app2 }
  - { vm: app3, address: 10.0.3.0/24 }
http: { listen: "127.0.0.1:9464" }
`;
const hookText = `nats: { url: "nats://10.0.0.5:4222" }
hosts: { hv1: db1, hv2: db2 }
wait: 20s
policy: proceed
`;

function faultsOf(load: (source: ConfigSource) => unknown, source: ConfigSource) {
  try {
    load({ env: {}, ...source });
  } catch (error) {
    if (error instanceof ConfigError) {
      const short = (place: string) => place.replace(/^.*\/\d+\.yaml/, 'FILE');
      return error.faults.map(({ place, path, message }) => `${short(place)} ${path} ${message}`);
    }
    throw error;
  }
  return [];
}

describe("the design's files", () => {
  test("an agent's, with every default in its unit", () => {
    const { config } = loadAgentConfig({ file: write(agentText), env: {} });
    expect(config).toMatchObject({
      replica: 'db2',
      nats: { creds: '/etc/forewarm/agent.creds', prefix: 'forewarm', password: undefined },
      database: { engine: 'postgres', databases: ['app'], statementTimeoutMs: 30_000 },
      http: { listen: { host: '127.0.0.1', port: 9464 } },
      observe: { intervalMs: 1_000, collectMs: 10_000, halfLifeMs: 600_000 },
      warm: { goal: 0.95, chunkBytes: 8 * 2 ** 20, maxLagMs: 10_000 },
      hold: { expiryMs: 600_000 },
      account: { windowMs: 60_000 },
    });
    expect(config.vms).toEqual([
      { vm: 'app1', applicationName: 'app1*' },
      { vm: 'app2', user: 'app2' },
      { vm: 'app3', address: '10.0.3.0/24' },
    ]);
  });

  test("a hypervisor's", () => {
    const { config } = loadHookConfig({ file: write(hookText), env: {} });
    expect(config).toMatchObject({ hosts: { hv1: 'db1', hv2: 'db2' }, waitMs: 20_000, policy: 'proceed' });
  });

  test('a publisher takes either, and none', () => {
    for (const text of [agentText, hookText]) {
      expect(loadPublisherConfig({ file: write(text), env: {} }).config.nats.prefix).toBe('forewarm');
    }
    const file = join(folder, 'none.yaml');
    expect(faultsOf(loadPublisherConfig, { file })).toEqual([`${file}  is not there`]);
  });
});

describe('precedence', () => {
  const file = () => write(agentText);

  test('file < environment < flags', () => {
    const env = { FOREWARM_NATS_URL: 'nats://env:1', FOREWARM_DATABASE_STATEMENT_TIMEOUT: '7s' };
    const fromEnv = loadAgentConfig({ file: file(), env }).config;
    expect([fromEnv.nats.url, fromEnv.database.statementTimeoutMs]).toEqual(['nats://env:1', 7_000]);
    const fromFlag = loadAgentConfig({ file: file(), env, flags: { 'nats.url': 'nats://flag:1' } }).config;
    expect(fromFlag.nats.url).toBe('nats://flag:1');
  });

  test('FOREWARM_CONFIG names the file', () => {
    expect(loadAgentConfig({ env: { FOREWARM_CONFIG: file() } }).config.replica).toBe('db2');
  });

  test('lists, rules and maps come from the environment too', () => {
    const env = { FOREWARM_DATABASE_DATABASES: 'app, shop', FOREWARM_VMS: '[{ vm: a, user: b }]' };
    const { config } = loadAgentConfig({ file: file(), env });
    expect(config.database.databases).toEqual(['app', 'shop']);
    expect(config.vms).toEqual([{ vm: 'a', user: 'b' }]);
    const hook = loadHookConfig({ file: write('{}'), env: { FOREWARM_HOSTS: 'hv1.example=db1,hv2=db2' } });
    expect(hook.config.hosts).toEqual({ 'hv1.example': 'db1', hv2: 'db2' });
  });

  test('a slip in a variable is a warning', () => {
    const { warnings } = loadAgentConfig({
      file: file(),
      env: { FOREWARM_NATS_URLL: 'x', FOREWARM_OTHER: '1' },
    });
    expect(warnings).toEqual(['FOREWARM_NATS_URLL is no known variable; did you mean FOREWARM_NATS_URL?']);
  });
});

describe('secrets', () => {
  test('come from files, named in the file or the environment', () => {
    const secret = write('hunter2\n');
    const file = write(`${agentText.replace('creds:', `passwordFile: ${secret}, creds:`)}`);
    expect(loadAgentConfig({ file, env: {} }).config.nats.password).toBe('hunter2');
    const env = { FOREWARM_NATS_TOKEN_FILE: secret };
    expect(loadAgentConfig({ file: write(agentText), env }).config.nats.token).toBe('hunter2');
    expect(faultsOf(loadAgentConfig, { file, env: { FOREWARM_NATS_TOKEN_FILE: '/none' } })).toEqual([
      'environment FOREWARM_NATS_TOKEN_FILE nats.token cannot be read from /none (ENOENT)',
    ]);
  });

  test('are not in the printable view, and in no fault', () => {
    const env = { FOREWARM_NATS_PASSWORD: 'hunter2', FOREWARM_DATABASE_URL: 'postgres://u:hunter2@h/app' };
    const { redacted } = loadAgentConfig({ file: write(agentText), env });
    expect(redacted).toMatchObject({ 'nats.password': '[secret]', 'database.url': 'postgres://u:***@h/app' });
    for (const text of [
      'replica: db1\ndatabase: { url: "ftp://u:hunter2@h" }\nnats: { password: [hunter2] }\n',
      'replica: db1\nnats: { password: *hunter2 }\n',
      'replica: db1\nnats: { password: hunter2: x }\n',
      'replica: db1\nnats: { password: "hunter2\n',
      'nats:\n  password: hunter2\n  password: hunter2\n',
      'nats:\n  password: @hunter2\n',
      'nats:\n  password: !hunter2 x\n',
    ]) {
      const faults = faultsOf(loadAgentConfig, { file: write(text) });
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join('\n')).not.toContain('hunter2');
    }
  });
});

describe('faults', () => {
  test('are named all at once, with their place and what was meant', () => {
    const text = `replica: db.2
natsUrl: foo
nats: { urll: x }
database: { engine: postgress, statementTimeout: 30 }
vms:
  - { vm: app1, aplicationName: "app1*" }
  - { user: app2 }
hold: 5
hosts: { a: b }
`;
    expect(faultsOf(loadAgentConfig, { file: write(text), flags: {} })).toEqual([
      'FILE:2:1 natsUrl is no known option; did you mean nats.url?',
      'FILE:3:9 nats.urll is no known option; did you mean nats.url?',
      'FILE:8:7 hold must be a map of interval, expiry',
      'FILE:9:1 hosts is no known option',
      'FILE:1:10 replica must be 1 to 64 of A-Z a-z 0-9 _ -, not "db.2"',
      'FILE:4:21 database.engine must be one of postgres, mariadb, mysql, not "postgress"',
      'FILE database.url is missing: set it in the file, or by FOREWARM_DATABASE_URL or --database-url',
      'FILE:4:50 database.statementTimeout must be a duration such as 500ms, 20s or 10m, not 30',
      'FILE:6:17 vms.0.aplicationName is no known option; did you mean applicationName?',
      'FILE:7:5 vms.1.vm is missing',
    ]);
  });

  test('of YAML have their line; of the environment and flags their name', () => {
    expect(faultsOf(loadAgentConfig, { file: write('replica: db1\nreplica: db2\n') })[0]).toBe(
      'FILE:2:1  is not YAML: Map keys must be unique',
    );
    expect(faultsOf(loadAgentConfig, { file: write('- a\n') })).toEqual([
      'FILE:1:1  must be a map of options',
    ]);
    expect(
      faultsOf(loadAgentConfig, {
        file: write(agentText),
        env: { FOREWARM_WARM_GOAL: '95' },
        flags: { 'http.listen': 'x' },
      }),
    ).toEqual([
      'flag --http-listen http.listen must be an address such as 127.0.0.1:9464, not "x"',
      'environment FOREWARM_WARM_GOAL warm.goal must be a fraction from 0 to 1, or a percentage such as 95%, not "95"',
    ]);
  });

  test('what is missing is named with the ways that the caller has to give it', () => {
    const file = write('wait: 5s');
    expect(faultsOf(loadHookConfig, { file })).toEqual(['FILE hosts is missing: set it in the file']);
    expect(faultsOf(loadHookConfig, { file, flags: {} })).toEqual([
      'FILE hosts is missing: set it in the file, or by FOREWARM_HOSTS or --hosts',
    ]);
  });

  test('an empty file lacks what must be given, and nothing else', () => {
    const paths = faultsOf(loadAgentConfig, { file: write('') }).map((fault) => fault.split(' ')[1]);
    expect(paths).toEqual(['replica', 'database.url']);
  });
});
