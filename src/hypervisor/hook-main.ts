import { runHookProcess } from './hook-process.ts';
import { refusalStatus } from './refusal-status.ts';

/** What the installed launcher starts: no command line, no command's libraries. */
await runHookProcess(process.argv.slice(2), refusalStatus);
