/** A statement as it is booked: its default database and its digest. */
export interface StatementId {
  readonly database: string;
  readonly queryId: string;
}

/** What one statement did since the last look. */
export interface StatementDelta extends StatementId {
  readonly accesses: number;
  /** Known without sampling who ran it; '' for sessions that no rule matches. */
  readonly vm?: string;
  /** The volume itself is a count of samples. */
  readonly coarse?: boolean;
}

export const statementKey = ({ database, queryId }: StatementId): string =>
  JSON.stringify([database, queryId]);
