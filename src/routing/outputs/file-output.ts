import { readFile } from 'node:fs/promises';
import { ForewarmError } from '../../lib/errors.ts';
import { replaceFile } from '../../lib/replace-file.ts';
import { factsOf, type ReplicaValues, type RouteOutput } from './output.ts';
import type { Template } from './template.ts';

/** A file that holds the route by a template; readers see it whole. One that is right already is not touched. */
export function createFileOutput(options: {
  readonly vm: string;
  readonly path: string;
  readonly template: Template;
  readonly replicas: ReplicaValues;
}): RouteOutput {
  const { vm, path, template, replicas } = options;
  return {
    name: '--write',
    async apply(route) {
      const text = template.render(factsOf(vm, route, replicas));
      if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return;
      await replaceFile(path, text).catch((error: Error) => {
        throw new ForewarmError('output_failed', `${path} was not written: ${error.message}`, {
          cause: error,
        });
      });
    },
  };
}
