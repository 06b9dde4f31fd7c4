/** MariaDB: the last sequence number of each replication domain. */
export type GtidPosition = ReadonlyMap<string, bigint>;

/** `0-1-100,2-3-7` as sequence numbers by domain; of several servers in one domain the furthest counts. */
export function parseGtidPosition(text: string): GtidPosition {
  const position = new Map<string, bigint>();
  for (const gtid of text.split(',').map((part) => part.trim())) {
    if (gtid === '') continue;
    const match = /^(\d+)-(\d+)-(\d+)$/.exec(gtid);
    if (match === null) throw new Error(`not a GTID of MariaDB: ${gtid}`);
    const [, domain = '', , sequence = '0'] = match;
    const furthest = position.get(domain) ?? 0n;
    position.set(domain, BigInt(sequence) > furthest ? BigInt(sequence) : furthest);
  }
  return position;
}

/** Whether `shown` is at least as far as `seen` in every domain. */
export function covers(shown: GtidPosition, seen: GtidPosition): boolean {
  return [...seen].every(([domain, sequence]) => (shown.get(domain) ?? 0n) >= sequence);
}

/** MySQL: a set of GTIDs without those of one server, `uuid:1-5:7,uuid:1` and the like. */
export function withoutServer(gtidSet: string, serverId: string): string {
  return gtidSet
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.toLowerCase().startsWith(`${serverId.toLowerCase()}:`))
    .join(',');
}
