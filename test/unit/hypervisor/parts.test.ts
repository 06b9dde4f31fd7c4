import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { asksToRefuse, glanceAtHookFile, replicaOfHost } from '../../../src/config/hook-glance.ts';
import { loadHookConfig } from '../../../src/config/load.ts';
import { meaningOf, parseLifecycleEvent } from '../../../src/hypervisor/libvirt-events.ts';
import { launcherPath, launcherScript } from '../../../src/hypervisor/libvirt-install.ts';
import { PendingMigrations } from '../../../src/hypervisor/pending.ts';
import { vmNameOf } from '../../../src/hypervisor/vm-name.ts';

const folder = mkdtempSync(join(tmpdir(), 'forewarm-parts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the name of the VM', () => {
  const ours = (inner: string) => `<domain><name>g</name><metadata>${inner}</metadata></domain>`;
  test.each([
    ['its own name', 'app1', '<domain/>', 'app1'],
    ['the map', 'a b', '', 'mapped'],
    ['a prefix of any name', 'g', ours('<x:vm xmlns:x="urn:forewarm"> app7 </x:vm>'), 'app7'],
    ['a default namespace', 'g', ours('<vm xmlns="urn:forewarm">app7</vm>'), 'app7'],
    ['metadata before the map', 'a b', ours('<vm xmlns="urn:forewarm">app7</vm>'), 'app7'],
    ["somebody else's metadata", 'g', ours('<l:vm xmlns:l="urn:forewarm:not">app7</l:vm>'), 'g'],
    ['an empty element', 'g', ours('<vm xmlns="urn:forewarm"/>'), 'g'],
    ['an element outside of metadata', 'g', '<domain><vm xmlns="urn:forewarm">app7</vm></domain>', 'g'],
    ['an XML that was cut off', 'g', '<domain><metadata><vm xmlns="urn:forewarm">app7', 'g'],
    ['a name that is none', 'a.b', '', undefined],
    ['a name that is none in metadata', 'g', ours('<vm xmlns="urn:forewarm">a b</vm>'), undefined],
    ['a key of every object', 'constructor', '', 'constructor'],
  ])('%s', async (_, name, xml, vm) => {
    expect(await vmNameOf({ name, xml, guests: { 'a b': 'mapped' } })).toBe(vm);
  });
});

describe('the glance at the file', () => {
  const file = join(folder, 'hook.yaml');
  const glance = (text: string, env = {}) => {
    writeFileSync(file, text);
    return glanceAtHookFile({ FOREWARM_CONFIG: file, ...env });
  };

  test('sees what the full reading sees', () => {
    const text = `
      nats: { url: "nats://10.0.0.5:4222", user: hv, password: s, timeout: 2s, prefix: fw }
      hosts: { hv1: db1, hv2: db2 }
      host: hv2
      guests: { "web 1": web1 }
      wait: 7s
      policy: require
      state: /run/x
      logFile: /var/log/x`;
    const seen = glance(text);
    const { config } = loadHookConfig({ file, env: {} });
    const { nats, guests, waitMs, state, logFile } = config;
    const set = Object.fromEntries(Object.entries(nats).filter(([, value]) => value !== undefined));
    expect(seen).toEqual({ text, nats: set, replica: 'db2', guests, waitMs, state, logFile });
  });

  test("reads secrets' files, and lets stand what `route watch` reads there", () => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 's3cret\n');
    const seen = glance(`
      nats: { user: hv, passwordFile: ${secret} }
      hosts: { hv1: db1 }
      replicas: { db1: { host: 10.0.0.11 } }
      pgbouncer: { databases: [app] }`);
    expect(seen?.nats).toMatchObject({ user: 'hv', password: 's3cret' });
    expect(seen?.nats.password).toBe(loadHookConfig({ file, env: {} }).config.nats.password);
  });

  test('has the same defaults', () => {
    const seen = glance('hosts: { hv1: db1 }');
    const { nats, waitMs, state } = loadHookConfig({ file, env: {} }).config;
    expect(seen).toMatchObject({ waitMs, state, replica: undefined, guests: {} });
    expect(seen?.nats).toEqual({ url: nats.url, prefix: nats.prefix, timeoutMs: nats.timeoutMs });
  });

  test.each([
    ['a fault', 'hosts: [db1]'],
    ['an unknown option', 'hosts: { hv1: db1 }\nwiat: 3s'],
    ['an unknown option of NATS', 'hosts: { hv1: db1 }\nnats: { passwort: x }'],
    ['a secret whose file is not there', 'hosts: { hv1: db1 }\nnats: { passwordFile: /none }'],
    ['a wrong duration', 'hosts: { hv1: db1 }\nwait: soon'],
    ['no YAML', 'hosts: {'],
    ['nothing', ''],
  ])('leaves %s to the full reading', (_, text) => expect(glance(text)).toBeUndefined());

  test('leaves what the environment says to the full reading', () => {
    expect(glance('hosts: { hv1: db1 }', { FOREWARM_WAIT: '3s' })).toBeUndefined();
    expect(glanceAtHookFile({ FOREWARM_CONFIG: join(folder, 'none') })).toBeUndefined();
  });

  test('sees a policy in a file that is faulty elsewhere', () => {
    writeFileSync(file, 'hosts: 3\npolicy: require');
    expect(asksToRefuse({ FOREWARM_CONFIG: file })).toBe(true);
    writeFileSync(file, 'hosts: 3');
    expect(asksToRefuse({ FOREWARM_CONFIG: file })).toBe(false);
    expect(asksToRefuse({ FOREWARM_CONFIG: join(folder, 'none') })).toBe(false);
  });
});

test('the replica of a host: its own name in full, then up to the first dot', () => {
  const own = hostname();
  expect(replicaOfHost({ [own]: 'db1' }, undefined)).toBe('db1');
  expect(replicaOfHost({ [own.split('.')[0]!]: 'db2' }, undefined)).toBe('db2');
  expect(replicaOfHost({ hv1: 'db1' }, 'hv1.example')).toBeUndefined();
  expect(replicaOfHost({}, 'toString')).toBeUndefined();
});

describe('lines of virsh event', () => {
  test.each([
    ["event 'lifecycle' for domain 'app1': Resumed Migrated", 'app1', 'runs here'],
    ["event 'lifecycle' for domain app1: Resumed Migrated", 'app1', 'runs here'],
    ["2026-11-24 21:00:00.000+0000: event 'lifecycle' for domain 'app1': Stopped Failed", 'app1', 'undone'],
    ["event 'lifecycle' for domain 'it's: odd': Stopped Failed", "it's: odd", 'undone'],
    ["event 'lifecycle' for domain 'app1': Stopped Migrated", 'app1', 'other'],
    ["event 'lifecycle' for domain 'app1': Resumed Unpaused", 'app1', 'other'],
    ["event 'lifecycle' for domain 'app1': Started Migrated", 'app1', 'other'],
  ])('%s', (line, guest, meaning) => {
    const event = parseLifecycleEvent(line);
    expect(event?.guest).toBe(guest);
    expect(meaningOf(event!)).toBe(meaning);
  });

  test.each(['', 'events received: 3', "event 'reboot' for domain 'app1'"])('%j is none', (line) => {
    expect(parseLifecycleEvent(line)).toBeUndefined();
  });
});

describe('notes of what is under way', () => {
  const note = { guest: 'a b.c%', vm: 'app1', id: 'm1', target: 'db2', deadline: '2030-01-01T00:00:00.000Z' };

  test('are kept by guest, and only the own one is forgotten', () => {
    const notes = new PendingMigrations(join(folder, 'notes'));
    expect(notes.list()).toEqual([]);
    notes.write(note);
    const newer = { ...note, id: 'm2' };
    notes.write(newer);
    notes.remove(note);
    expect(notes.read(note.guest)).toEqual(newer);
    expect(notes.list()).toEqual([newer]);
    notes.remove(newer);
    expect(notes.list()).toEqual([]);
  });

  test('that cannot be read count as none', () => {
    const where = join(folder, 'broken');
    mkdirSync(where);
    for (const text of ['', '{', 'null', '{"guest":"x"}']) {
      writeFileSync(join(where, 'libvirt-x.json'), text);
      expect(new PendingMigrations(where).list()).toEqual([]);
    }
  });
});

describe('the launcher', () => {
  test('goes beside other hooks, where libvirt runs them', () => {
    const at = join(folder, 'hooks');
    mkdirSync(at);
    const path = (libvirtVersion: string | undefined) => launcherPath({ folder: at, libvirtVersion });
    expect(path('9.0.0')).toBe(join(at, 'qemu.d/forewarm'));
    expect(path(undefined)).toBe(join(at, 'qemu.d/forewarm'));
    expect(path('6.5.0')).toBe(join(at, 'qemu.d/forewarm'));
    expect(path('6.4.0')).toBe(join(at, 'qemu'));
    writeFileSync(join(at, 'qemu'), '#!/bin/sh\necho theirs\n');
    expect(path('9.0.0')).toBe(join(at, 'qemu.d/forewarm'));
    expect(() => path('6.4.0')).toThrow('is there already');
    const own = { command: ['node'], timeout: 'timeout', boundMs: 1, config: undefined };
    writeFileSync(join(at, 'qemu'), launcherScript(own));
    expect(path('9.0.0')).toBe(join(at, 'qemu'));
  });

  test('quotes what it is given', () => {
    const script = launcherScript({
      ...{ command: ["/opt/it's/node", '/a b/hook.cjs'], timeout: '/usr/bin/timeout' },
      ...{ boundMs: 60_000, config: '/etc/x y.yaml' },
    });
    expect(script).toContain(
      `'/usr/bin/timeout' -k 5 60 '/opt/it'\\''s/node' '/a b/hook.cjs' "$@" 2>&3 3>&-`,
    );
    expect(script).toContain("FOREWARM_CONFIG='/etc/x y.yaml'");
  });
});
