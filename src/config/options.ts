import { hookDefaults, natsDefaults } from './defaults.ts';
import { type ConfigOf, option, optional, required } from './option.ts';
import {
  databaseUrl,
  duration,
  fraction,
  fractionUpTo,
  listen,
  name,
  nameMap,
  natsUrl,
  oneOf,
  path,
  replicaValues,
  size,
  text,
  textList,
  vmRules,
  whole,
} from './value-types.ts';

const nats = {
  url: option(natsUrl, {
    default: natsDefaults.url,
    description:
      'NATS server, or several with commas between; the first may have `user:password@` or `token@`.',
  }),
  creds: optional(path, { description: 'Credentials file of NATS (JWT and key).' }),
  user: optional(text, { description: 'User name for NATS.' }),
  password: optional(text, { secret: true, description: 'Password for NATS.' }),
  token: optional(text, { secret: true, description: 'Token for NATS.' }),
  prefix: option(name, {
    default: natsDefaults.prefix,
    description: 'First token of every subject, stream and bucket; the same on all hosts that work together.',
  }),
  timeout: option(duration, {
    default: natsDefaults.timeout,
    description: 'Longest wait for NATS to answer a connection or a request.',
  }),
};

/** What an agent reads. */
export const agentOptions = {
  replica: required(name, { description: 'Name of the replica that the agent stands beside.' }),
  nats,
  database: {
    engine: option(oneOf('postgres', 'mariadb', 'mysql'), {
      default: 'postgres',
      description: 'Kind of the database server.',
    }),
    url: required(databaseUrl, {
      description: "The replica's connection string, with the agent's own role.",
    }),
    databases: option(textList, {
      default: [],
      description: "Databases that are watched and warmed; empty: the URL's own.",
    }),
    statementTimeout: option(duration, {
      default: '30s',
      description: 'Bound of every statement that Forewarm runs.',
    }),
  },
  vms: option(vmRules, {
    default: [],
    description:
      'Which sessions are which VM: `vm` and any of `user`, `applicationName` (with `*`, `?`), `address`, `database`; first match wins.',
  }),
  http: {
    listen: option(listen, {
      default: '127.0.0.1:9464',
      description: 'Address for health and metrics.',
    }),
  },
  log: {
    level: option(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
      default: 'info',
      description: 'Least level that is logged.',
    }),
  },
  observe: {
    interval: option(duration, { default: '1s', description: 'Time between looks at the sessions.' }),
    collect: option(duration, { default: '10s', description: 'Time between readings of the statistics.' }),
    halfLife: option(duration, { default: '10m', description: 'Age at which an observation counts half.' }),
    burst: option(duration, {
      default: '300ms',
      description: 'Fast sampling on an intent, for a better split of VMs that share a role; `0s` is none.',
    }),
    exact: option(duration, {
      default: '0s',
      description:
        'So often one VM after the other is counted alone for a second, while statistics of all other sessions stop; `0s` is never. MariaDB, MySQL.',
    }),
  },
  warm: {
    goal: option(fraction, {
      default: '95%',
      description: 'Share of the planned blocks that must be resident for ready.',
    }),
    maxPoolFraction: option(fraction, {
      default: '80%',
      description: 'Largest part of the buffer pool that the warming of all migrations may take.',
    }),
    osCacheFraction: option(fraction, {
      default: '50%',
      description:
        "Part of the host's available memory, or of what the server's control group leaves, for what fits into the OS page cache alone.",
    }),
    residentsDiskFraction: option(fractionUpTo(0.9, '20%'), {
      default: '20%',
      description:
        "Part of the disk's time that is left to residents who read from it, unless the deadline needs all; `0%`: none.",
    }),
    chunk: option(size, {
      default: '8MiB',
      description: 'Bytes read between two decisions of the throttle.',
    }),
    maxLag: option(duration, {
      default: '10s',
      description: 'Replay lag over which a replica does not count as ready.',
    }),
    connections: option(whole({ min: 1, max: 16 }), {
      default: 4,
      description:
        'Connections that warm at the same time; three of four read from the disk, while the fourth fills the pool.',
    }),
  },
  hold: {
    interval: option(duration, {
      default: '2s',
      description: 'Time between delta rounds while ready, until the arrival.',
    }),
    expiry: option(duration, {
      default: '10m',
      description: 'How long after its deadline a migration without an arrival is kept warm.',
    }),
  },
  account: {
    window: option(duration, {
      default: '60s',
      description: 'Time after the arrival over which the worth of the warming is measured.',
    }),
  },
};

/** What commands that talk to agents read. */
export const publisherOptions = { nats };

/** What a hypervisor's hook reads. */
export const hookOptions = {
  nats,
  hosts: required(nameMap, { description: "Each hypervisor's replica: `{ hv1: db1, hv2: db2 }`." }),
  host: optional(text, {
    description:
      "This host's name in `hosts`, where it is not the host name, in full or up to its first dot.",
  }),
  guests: option(nameMap, {
    default: {},
    description: 'VM names of guests whose own name has other characters than `A-Z a-z 0-9 _ -`.',
  }),
  wait: option(duration, {
    default: hookDefaults.wait,
    description: 'Longest time that a migration is held for warming.',
  }),
  policy: option(oneOf('proceed', 'require'), {
    default: 'proceed',
    description: 'What becomes of a migration that was not ready in time; `require` refuses it.',
  }),
  state: option(path, {
    default: hookDefaults.state,
    description: 'Folder of what is under way on this host.',
  }),
  logFile: optional(path, {
    description: "File for the hook's log; without it syslog, as `forewarm`.",
  }),
};

/** What `route watch` reads. */
export const routeWatchOptions = {
  nats,
  replicas: option(replicaValues, {
    default: {},
    description:
      "Each replica's values for files, commands and PgBouncer: `{ db1: { host: 10.0.0.11, port: 5432 } }`.",
  }),
  pgbouncer: {
    admin: option(databaseUrl, {
      default: 'postgres://pgbouncer@/pgbouncer?host=/var/run/postgresql&port=6432',
      description: "Connection string of PgBouncer's admin console.",
    }),
    databases: option(textList, {
      default: [],
      description: "Entries of PgBouncer's `[databases]` that follow the route; empty: the VM's name.",
    }),
  },
};

export type AgentConfig = ConfigOf<typeof agentOptions>;
export type PublisherConfig = ConfigOf<typeof publisherOptions>;
export type HookConfig = ConfigOf<typeof hookOptions>;
export type RouteWatchConfig = ConfigOf<typeof routeWatchOptions>;
