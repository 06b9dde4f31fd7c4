/** A driver's own pool at one replica. It has room for `limit` connections; the caller never asks for more. */
export interface ReplicaPool<C> {
  readonly limit: number;
  /** An idle connection or a new one, its session settings done; rejects within the driver's connect bound. */
  open(): Promise<C>;
  /** Runs the configured statements, so that the connection's first user waits for nothing. */
  warm(connection: C): Promise<void>;
  /** Takes back a connection whose user has not had it. */
  giveBack(connection: C): void;
  /** Closes what is idle now and the rest as it is released; resolves when all are gone. */
  drain(): Promise<void>;
  /** As the driver's own pool ends; resolves when all are gone. */
  end(): Promise<void>;
  /** Ends connections that are still in use; what runs on them is rejected. */
  cut(connections: readonly C[]): void;
}

/** Asked whether a server shows what another one has shown: `unknown` says why it cannot be told. */
export type Shown = { readonly is: 'yes' | 'no' } | { readonly is: 'unknown'; readonly why: string };

/** A connection of its own to a server, so that looking at it never waits for the application's work. */
export interface Probe {
  /** A position in the history of writes that no session of this server can have seen beyond, until now. */
  position(): Promise<unknown>;
  /** Whether every session that begins from now on sees at least that; the position is another probe's. */
  shows(position: unknown): Promise<Shown>;
  /** Rejects when the server does not answer. */
  ping(): Promise<void>;
  /** Ends the session of a connection that was cut off; best effort. */
  kill(sessionId: number): Promise<void>;
  close(): void;
}

export interface PoolEvents<C> {
  /** A connection was released or lost by its user; called before it can be had again. */
  freed(connection: C): void;
  /** An idle connection broke. */
  broke(error: unknown): void;
}

/** All that the coordinator needs of a database driver. */
export interface Driver<C> {
  pool(replica: string, events: PoolEvents<C>): ReplicaPool<C>;
  /** Connects; rejects when the replica refuses or does not answer within the connect bound. */
  probe(replica: string): Promise<Probe>;
  /** The server's id of a connection's session. */
  sessionId(connection: C): number | null;
}
