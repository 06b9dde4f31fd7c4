import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rewriteEntry } from '../../../src/routing/outputs/pgbouncer-ini.ts';

const ini = `;; app = host=nowhere
[databases]
# app = host=nowhere
app = host=10.0.0.11 port=5432 dbname=app connect_query='SET a = ''host=x'''   \r
  app2=dbname=app2
* = host=10.0.0.11
[users]
app = pool_mode=session
[pgbouncer]
app = host=not-an-entry
%include /etc/pgbouncer/more.ini
`;

const to = (parameters: Record<string, string>) => new Map(Object.entries(parameters));

test('changes the parameters of one entry, and no other byte', () => {
  const changed = rewriteEntry(ini, 'app', to({ host: '10.0.0.12', port: '6000' }));
  expect(changed).toBe(ini.replace('app = host=10.0.0.11 port=5432', 'app = host=10.0.0.12 port=6000'));
  expect(rewriteEntry(changed, 'app', to({ host: '10.0.0.11', port: '5432' }))).toBe(ini);
});

test('adds what the entry lacks, and quotes what needs it', () => {
  expect(rewriteEntry(ini, 'app2', to({ host: '10.0.0.12', password: "it's a" }))).toBe(
    ini.replace('app2=dbname=app2', "app2=dbname=app2 host=10.0.0.12 password='it''s a'"),
  );
  expect(rewriteEntry('[databases]\nx =', 'x', to({ host: 'h' }))).toBe('[databases]\nx =host=h');
  expect(rewriteEntry("[databases]\nx = host='a'", 'x', to({ host: 'b' }))).toBe("[databases]\nx = host='b'");
});

test('changes the fallback entry and quoted names, and every entry of a name', () => {
  expect(rewriteEntry(ini, '*', to({ host: 'h' }))).toBe(ini.replace('* = host=10.0.0.11', '* = host=h'));
  expect(rewriteEntry('[databases]\n"a ""b" = host=x\nc=host=x', 'a "b', to({ host: 'y' }))).toBe(
    '[databases]\n"a ""b" = host=y\nc=host=x',
  );
  expect(rewriteEntry('[databases]\na=host=x\n[databases]\na=host=z', 'a', to({ host: 'y' }))).toBe(
    '[databases]\na=host=y\n[databases]\na=host=y',
  );
});

test('says so where there is no such entry', () => {
  expect(() => rewriteEntry(ini, 'other', to({ host: 'h' }))).toThrow('[databases] has no entry other');
});

test('whatever stands around the entry stays', () => {
  const line = fc.stringMatching(/^[ -~]{0,30}$/).filter((text) => !/^\s*("?app"?\s*=|\[)/.test(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(line), (before, after) => {
      const around = (host: string) =>
        ['[databases]', ...before, `app = host=${host} user=u`, ...after].join('\n');
      expect(rewriteEntry(around('a'), 'app', to({ host: 'b' }))).toBe(around('b'));
    }),
  );
});
