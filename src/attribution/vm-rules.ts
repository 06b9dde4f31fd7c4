import ipaddr from 'ipaddr.js';

/** A rule of the configuration; all conditions that it has must hold. The first rule that matches wins. */
export interface VmRule {
  readonly vm: string;
  readonly user?: string;
  /** `*` and `?` are wildcards. */
  readonly applicationName?: string;
  /** An address or CIDR, IPv4 or IPv6. */
  readonly address?: string;
  readonly database?: string;
}

/** What a server tells of one session. */
export interface SessionIdentity {
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  /** Null on a Unix socket: no address rule matches then. */
  readonly address: string | null;
}

/** Where the sessions of one role on one database lead. */
export type RoleOwner =
  /** All to one VM: the role's counts are that VM's. */
  | { readonly kind: 'vm'; readonly vm: string }
  /** None can match a rule. */
  | { readonly kind: 'unmatched' }
  /** It depends on the session. */
  | { readonly kind: 'shared' };

export interface VmMatcher {
  /** The VM of a session, or undefined where no rule matches. */
  match(session: SessionIdentity): string | undefined;
  owner(user: string, database: string): RoleOwner;
}

interface CompiledRule {
  readonly rule: VmRule;
  readonly perSession: boolean;
  readonly matchesRole: (user: string, database: string) => boolean;
  readonly matchesSession: (session: SessionIdentity) => boolean;
}

/** Throws a RangeError that names the rule where an address is not an address or CIDR. */
export function compileVmRules(rules: readonly VmRule[]): VmMatcher {
  const compiled = rules.map(compileRule);
  return {
    match: (session) =>
      compiled.find((one) => one.matchesRole(session.user, session.database) && one.matchesSession(session))
        ?.rule.vm,
    owner: (user, database) => ownerOf(compiled, user, database),
  };
}

/** The VM that every session of that role on that database leads to; undefined where it depends, or none does. */
export function exclusiveVm(rules: readonly VmRule[], user: string, database: string): string | undefined {
  const owner = compileVmRules(rules).owner(user, database);
  return owner.kind === 'vm' ? owner.vm : undefined;
}

function ownerOf(rules: readonly CompiledRule[], user: string, database: string): RoleOwner {
  const possible = new Set<string>();
  for (const one of rules) {
    if (!one.matchesRole(user, database)) continue;
    possible.add(one.rule.vm);
    if (!one.perSession) {
      return possible.size === 1 ? { kind: 'vm', vm: one.rule.vm } : { kind: 'shared' };
    }
  }
  return possible.size === 0 ? { kind: 'unmatched' } : { kind: 'shared' };
}

function compileRule(rule: VmRule): CompiledRule {
  const { applicationName, address } = rule;
  const name = applicationName === undefined ? undefined : wildcardPattern(applicationName);
  const network = address === undefined ? undefined : parseNetwork(rule.vm, address);
  return {
    rule,
    perSession: name !== undefined || network !== undefined,
    matchesRole: (user, database) =>
      (rule.user === undefined || rule.user === user) &&
      (rule.database === undefined || rule.database === database),
    matchesSession: (session) =>
      (name === undefined || name.test(session.applicationName)) &&
      (network === undefined || network(session.address)),
  };
}

function wildcardPattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su');
}

function parseNetwork(vm: string, address: string): (client: string | null) => boolean {
  const [base, bits] = parseCidr(vm, address);
  return (client) => {
    // A zone index belongs to the host that saw it, not to the address.
    const plain = client?.replace(/%.*$/, '');
    if (plain === undefined || !ipaddr.isValid(plain)) return false;
    const found = ipaddr.process(plain);
    return found.kind() === base.kind() && found.match(base, bits);
  };
}

function parseCidr(vm: string, address: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (ipaddr.isValidCIDR(address)) {
    const [base, bits] = ipaddr.parseCIDR(address);
    const mapped = base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96;
    return mapped ? [(base as ipaddr.IPv6).toIPv4Address(), bits - 96] : [base, bits];
  }
  // `10.1` and other short forms are valid to the parser, and surely a mistake here.
  if (ipaddr.isValid(address) && (address.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(address))) {
    const base = ipaddr.process(address);
    return [base, base.kind() === 'ipv4' ? 32 : 128];
  }
  throw new RangeError(
    `the rule of VM "${vm}" has the address "${address}", which is neither an address nor a CIDR such as 10.0.3.0/24`,
  );
}
