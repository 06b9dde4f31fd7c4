import { ForewarmError } from '../lib/errors.ts';
import type { Engine, EngineKind, EngineOptions } from './engine.ts';
import { createPostgresEngine } from './postgres/engine.ts';

/** The engine of that kind. Errors: `database_unsupported`. */
export function createEngine(kind: EngineKind, options: EngineOptions): Engine {
  if (kind === 'postgres') return createPostgresEngine(options);
  throw new ForewarmError('database_unsupported', `There is no engine for ${kind} in this Forewarm`, {
    hint: 'Set database.engine to postgres.',
  });
}
