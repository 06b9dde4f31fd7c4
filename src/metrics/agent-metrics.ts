import { counter, gauge, histogram } from './declaration.ts';

/**
 * Every metric of an agent, once: the agent registers them from here, and the README's table is made from here.
 * All have the label `replica`. Label values are bounded: `vm` is a VM of the agent's own configuration or `other`,
 * `query` is a file of `sql/` or one of a few names in the code, the rest are closed lists. No migration's id is one.
 */
export const agentMetrics = {
  build: gauge('forewarm_build_info', {
    unit: 'none',
    labels: ['version', 'node'],
    help: 'Always 1: the version of Forewarm and of Node.',
  }),
  database: gauge('forewarm_database_info', {
    unit: 'none',
    labels: ['engine', 'version', 'means'],
    help: 'Always 1: the database server, and how blocks are read there.',
  }),
  databaseUp: gauge('forewarm_database_up', {
    unit: 'none',
    help: '1 while the database answers the agent.',
  }),
  canWarm: gauge('forewarm_can_warm', {
    unit: 'none',
    help: '0 where the database lacks what warming needs; `forewarm doctor` says what.',
  }),
  bufferPool: gauge('forewarm_buffer_pool_bytes', {
    unit: 'bytes',
    help: "Size of the database's buffer pool.",
  }),
  lag: gauge('forewarm_replay_lag_seconds', {
    unit: 'seconds',
    help: 'Replay lag; absent while it is unknown.',
  }),
  lagLimit: gauge('forewarm_replay_lag_limit_seconds', {
    unit: 'seconds',
    help: 'Replay lag over which the replica does not count as ready (`warm.maxLag`).',
  }),
  replaying: gauge('forewarm_replaying', {
    unit: 'none',
    help: '1 while the replica replays, or is no replica.',
  }),

  underWay: gauge('forewarm_migrations_under_way', {
    unit: 'none',
    labels: ['state'],
    help: 'Migrations to this replica by state, until they end.',
  }),
  overdue: gauge('forewarm_migrations_overdue', {
    unit: 'none',
    help: 'Migrations under way that are past their deadline and were never ready.',
  }),
  ended: counter('forewarm_migrations_total', {
    unit: 'none',
    labels: ['vm', 'state'],
    help: 'Ended migrations by end state: `completed`, `aborted`, `expired`, `failed`, `rejected`.',
  }),
  deadlines: counter('forewarm_deadlines_total', {
    unit: 'none',
    labels: ['vm', 'outcome'],
    help: 'Deadlines that were `met` (ready in time) or `missed`; aborted and rejected migrations have none.',
  }),
  readyTime: histogram('forewarm_ready_seconds', {
    unit: 'seconds',
    labels: ['vm'],
    buckets: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600],
    help: 'Time from intent to ready.',
  }),
  refused: counter('forewarm_messages_refused_total', {
    unit: 'none',
    labels: ['code'],
    help: 'Intents and outcomes that were refused, by error code.',
  }),

  workSet: gauge('forewarm_work_set_bytes', {
    unit: 'bytes',
    labels: ['vm'],
    help: "Work set of the VM's migration under way, as the source's pool holds it.",
  }),
  residency: gauge('forewarm_residency_ratio', {
    unit: 'ratio',
    labels: ['vm'],
    help: "Part of the wanted blocks that this pool holds, for the VM's migration under way.",
  }),
  plannedBlocks: counter('forewarm_planned_blocks_total', {
    unit: 'blocks',
    labels: ['vm'],
    help: 'Blocks planned, counted when a migration is ready, arrives or ends.',
  }),
  plannedBytes: counter('forewarm_planned_bytes_total', {
    unit: 'bytes',
    labels: ['vm'],
    help: 'Bytes planned, counted likewise.',
  }),
  skippedBlocks: counter('forewarm_skipped_blocks_total', {
    unit: 'blocks',
    labels: ['vm', 'reason'],
    help: 'Wanted blocks left out of a plan: `pool_budget`, `os_cache_budget`, `absent`, `beyond_end` (of the relation here).',
  }),
  skippedBytes: counter('forewarm_skipped_bytes_total', {
    unit: 'bytes',
    labels: ['vm', 'reason'],
    help: 'Wanted bytes left out, by the same reasons.',
  }),
  readBlocks: counter('forewarm_read_blocks_total', {
    unit: 'blocks',
    labels: ['vm'],
    help: 'Planned blocks that were read, as they are read.',
  }),
  readBytes: counter('forewarm_read_bytes_total', {
    unit: 'bytes',
    labels: ['vm'],
    help: 'Bytes read for planned blocks, with bridged gaps.',
  }),
  rounds: counter('forewarm_rounds_total', {
    unit: 'none',
    labels: ['vm'],
    help: 'Rounds that read something.',
  }),
  throttled: counter('forewarm_throttle_seconds_total', {
    unit: 'seconds',
    labels: ['reason'],
    help: 'Pauses of the reading connections: `trial` (do residents fare better without?), `residents_latency`, `residents_read` (part of the disk is left to residents who read from it), `io_wait`, `replay_lag`, `deadline_near`.',
  }),
  usefulShare: gauge('forewarm_useful_ratio', {
    unit: 'ratio',
    labels: ['vm'],
    help: 'Part of the warmed blocks that were used within `account.window` after the newest arrival. PostgreSQL.',
  }),
  hitRatio: gauge('forewarm_after_arrival_hit_ratio', {
    unit: 'ratio',
    labels: ['vm'],
    help: "Part of the VM's block accesses that were hits within `account.window` after the newest arrival. PostgreSQL.",
  }),

  intents: gauge('forewarm_intents_waiting', {
    unit: 'none',
    help: 'Intents and outcomes that NATS has for this replica and that are not handled yet, as of the newest.',
  }),
  turns: gauge('forewarm_read_turns_waiting', {
    unit: 'none',
    help: 'Steps of reading that wait for their turn at the disk (`warm.connections`).',
  }),
  unwritten: gauge('forewarm_unwritten_messages', {
    unit: 'none',
    help: 'Records and events that wait to be written to NATS.',
  }),
  natsConnected: gauge('forewarm_nats_connected', {
    unit: 'none',
    help: '1 while the connection to NATS stands.',
  }),
  natsReconnects: counter('forewarm_nats_reconnects_total', {
    unit: 'none',
    help: 'Connections to NATS that were lost and came back.',
  }),

  queryTime: histogram('forewarm_query_seconds', {
    unit: 'seconds',
    labels: ['query'],
    buckets: [0.001, 0.01, 0.1, 1, 10],
    help: "Time of each of Forewarm's own statements.",
  }),
  queryErrors: counter('forewarm_query_errors_total', {
    unit: 'none',
    labels: ['query'],
    help: "Forewarm's own statements that failed or were cancelled.",
  }),
  samplingErrors: counter('forewarm_sampling_errors_total', {
    unit: 'none',
    labels: ['work'],
    help: 'Looks at the sessions (`sample`) and readings of the statistics (`collect`) that failed.',
  }),
  unexplained: gauge('forewarm_unexplained_ratio', {
    unit: 'ratio',
    labels: ['vm'],
    help: "Part of the VM's accesses here that could not be told to relations.",
  }),
  requests: counter('forewarm_requests_total', {
    unit: 'none',
    labels: ['kind', 'code'],
    help: 'Requests of other agents and commands that were answered, by kind and error code or `ok`.',
  }),
};
