import type { KeyPlace, WireKey } from '../../planning/work-set.ts';
import type { KeyNode } from './key-division.ts';
import { counted, isOrdered, type KeyValue, type ValueType } from './key-values.ts';

/** More than these would make a work set big; the target then finds places by itself. */
const mostPlaces = 128;
const mostBytes = 32_768;

/**
 * A division of an index as another copy can use it, so that places mean the same rows there and nothing has to be
 * asked for them. Undefined where keys between two others are not surely between them in the index's own order.
 */
export function placesOf(
  nodes: readonly KeyNode[],
  types: readonly ValueType[],
): readonly KeyPlace[] | undefined {
  if (nodes.length === 0 || nodes.length > mostPlaces) return undefined;
  if (!nodes.every(({ prefix, low, towards }) => isOrdered(types[prefix.length]!, low, towards)))
    return undefined;
  const places = nodes.map(
    ({ from, prefix, low, towards }): KeyPlace => ({
      at: from,
      prefix: prefix.map(toWire),
      ...abridged(types[prefix.length]!, low, towards),
    }),
  );
  return JSON.stringify(places).length <= mostBytes ? places : undefined;
}

/** The division that another copy told; undefined where it does not fit the index's columns. */
export function nodesOf(
  places: readonly KeyPlace[],
  types: readonly ValueType[],
): readonly KeyNode[] | undefined {
  const nodes = places.map(({ at, prefix, low, towards }, nth) => ({
    ...{ from: at, to: places[nth + 1]?.at ?? 1 },
    ...{ prefix: prefix.map(fromWire), low: fromWire(low), towards: fromWire(towards) },
  }));
  const fits = nodes.every(
    ({ from, to, prefix, low, towards }) =>
      to >= from &&
      [...prefix, low].every((value, at) => isOf(types[at], value)) &&
      isOf(types[prefix.length], towards),
  );
  return fits && nodes[0]?.from === 0 ? nodes : undefined;
}

/** No more of texts and bytes than keys between them need: a whole one may be a secret. */
function abridged(type: ValueType, low: KeyValue, towards: KeyValue): Pick<KeyPlace, 'low' | 'towards'> {
  const short = (value: KeyValue) => toWire(counted(type, value, low, towards));
  return { low: short(low), towards: short(towards) };
}

const isOf = (type: ValueType | undefined, value: KeyValue): boolean =>
  type !== undefined && type !== 'opaque' && Buffer.isBuffer(value) === (type === 'binary');

const toWire = (value: KeyValue): WireKey =>
  Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value;

const fromWire = (value: WireKey): KeyValue =>
  typeof value === 'object' ? Buffer.from(value.hex, 'hex') : value;
