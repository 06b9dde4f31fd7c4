export * as errors from '../lib/errors.ts';
export { runHookProcess } from './hook-process.ts';
export { rehearse } from './hook-rehearsal.ts';
