import { describe, expect, it } from 'vitest';
import { compileVmRules, exclusiveVm, type SessionIdentity } from '../../../src/attribution/vm-rules.ts';

const session = (some: Partial<SessionIdentity>): SessionIdentity => ({
  user: 'u',
  database: 'd',
  applicationName: 'a',
  address: '10.0.3.7',
  ...some,
});

describe('matching sessions to VMs', () => {
  it('takes the first rule whose conditions all hold', () => {
    const { match } = compileVmRules([
      { vm: 'one', user: 'u', applicationName: 'web-?' },
      { vm: 'two', user: 'u', database: 'd' },
      { vm: 'three' },
    ]);
    expect(match(session({ applicationName: 'web-1' }))).toBe('one');
    expect(match(session({ applicationName: 'web-12' }))).toBe('two');
    expect(match(session({ database: 'other' }))).toBe('three');
  });

  it.each([
    ['app1*', 'app1-worker', true],
    ['app1*', 'myapp1', false],
    ['a.c', 'abc', false],
    ['[x]+(y)*', '[x]+(y)z', true],
    ['*', '', true],
    ['?', 'ä', true],
    ['line*', 'line\nbreak', true],
    ['App', 'app', false],
  ])('reads * and ? and nothing else as wildcards: %s, %s', (applicationName, name, matches) => {
    const { match } = compileVmRules([{ vm: 'v', applicationName }]);
    expect(match(session({ applicationName: name }))).toBe(matches ? 'v' : undefined);
  });

  it.each([
    ['10.0.3.0/24', '10.0.3.255', true],
    ['10.0.3.0/24', '10.0.4.0', false],
    ['10.0.3.7', '10.0.3.7', true],
    ['10.0.3.7', '::ffff:10.0.3.7', true],
    ['::ffff:10.0.3.0/120', '10.0.3.7', true],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '10.0.3.7', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', null, false],
  ])('matches addresses: %s, %s', (address, client, matches) => {
    const { match } = compileVmRules([{ vm: 'v', address }]);
    expect(match(session({ address: client }))).toBe(matches ? 'v' : undefined);
  });

  it.each(['10.0.3', 'host', '10.0.0.0/33', ''])('refuses %j as an address and names the VM', (address) => {
    expect(() => compileVmRules([{ vm: 'web', address }])).toThrow(/VM "web".*neither an address nor a CIDR/);
  });
});

describe('who a role belongs to', () => {
  it('is one VM where every session of the role leads there', () => {
    const rules = [
      { vm: 'app1', user: 'app1', applicationName: 'x*' },
      { vm: 'app1', user: 'app1' },
      { vm: 'app2', database: 'other' },
    ];
    expect(exclusiveVm(rules, 'app1', 'main')).toBe('app1');
    expect(exclusiveVm(rules, 'app1', 'other')).toBe('app1');
    expect(exclusiveVm(rules, 'someone', 'other')).toBe('app2');
  });

  it('is shared where a session may lead elsewhere or nowhere', () => {
    const owner = (user: string) =>
      compileVmRules([
        { vm: 'a', user: 'both', applicationName: 'a*' },
        { vm: 'b', user: 'both' },
        { vm: 'c', user: 'some', address: '10.0.0.0/8' },
      ]).owner(user, 'd').kind;
    expect(owner('both')).toBe('shared');
    expect(owner('some')).toBe('shared');
    expect(owner('none')).toBe('unmatched');
  });
});
