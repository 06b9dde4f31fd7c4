import type { RelationKind } from '../messages/profile.ts';
import type { BlockRanges } from './block-ranges.ts';

export const forks = ['main', 'fsm', 'vm', 'init'] as const;
export type Fork = (typeof forks)[number];

/** A relation by the names that hold on every replica. */
export interface RelationRef {
  readonly database: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** `schema.name` of the table that an index or TOAST relation belongs to. */
  readonly parent?: string;
}

/** A key's value as JSON carries it; bytes in hexadecimal. */
export type WireKey = string | number | { readonly hex: string };

/** A stretch of an index, to the next one's place: keys in it are found between two values of one column. */
export interface KeyPlace {
  /** Part of the index's rows before it, 0 to 1. */
  readonly at: number;
  /** Values of the columns before that one, which all of the stretch has in common. */
  readonly prefix: readonly WireKey[];
  readonly low: WireKey;
  /** Its greatest value. */
  readonly towards: WireKey;
}

/** One fork of one relation, as the source's cache holds it. */
export interface WorkSetRelation extends RelationRef {
  readonly fork: Fork;
  /** The name by which a profile has it, where this is a partition of that, or holds its long values. */
  readonly partOf?: string;
  /** `tablespace/database/filenode`: block lists hold only while it is equal at both ends. */
  readonly filenode: string;
  readonly sizeBlocks: number;
  /** Part of the VM's block accesses, 0 to 1; the forks of a relation share one. */
  readonly share: number;
  /** One of the server's own catalogs: what new sessions read, of no VM's statements, at a share of 0. */
  readonly catalog?: boolean;
  readonly ranges: BlockRanges;
  /** How the ranges were found, in words; exact where left out. */
  readonly means?: string;
  /** Of ranges in key order: the keys by which the source measured. A target that uses the same reads the same rows. */
  readonly places?: readonly KeyPlace[];
}

/** What the source keeps cached of the relations that a VM touches. */
export interface WorkSet {
  readonly vm: string;
  readonly source: string;
  /** Equal on physical replicas of one cluster; empty when unknown. */
  readonly systemId: string;
  readonly blockBytes: number;
  readonly takenAt: string;
  /** False: no view of the pool; ranges are empty, and only names and shares are told. */
  readonly blocksKnown: boolean;
  readonly secondTier: 'measured' | 'unknown';
  readonly secondTierBytesEstimate?: number;
  readonly relations: readonly WorkSetRelation[];
}

/** The key of a relation's fork in maps: unambiguous for any name. */
export function relationKey(relation: RelationRef & { readonly fork?: Fork }): string {
  return JSON.stringify([relation.database, relation.schema, relation.name, relation.fork ?? 'main']);
}
