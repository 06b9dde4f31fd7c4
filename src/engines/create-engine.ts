import type { Engine, EngineKind, EngineOptions } from './engine.ts';
import { createMysqlEngine } from './mysql/engine.ts';
import { createPostgresEngine } from './postgres/engine.ts';

/** The engine of that kind. */
export function createEngine(kind: EngineKind, options: EngineOptions): Engine {
  return kind === 'postgres' ? createPostgresEngine(options) : createMysqlEngine(kind, options);
}
