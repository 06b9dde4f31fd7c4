import { readFileSync } from 'node:fs';

const packageFile = new URL('../../package.json', import.meta.url);

/** Forewarm's own version, from package.json. */
export const forewarmVersion: string = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string })
  .version;
