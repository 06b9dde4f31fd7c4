import { OwnedProcesses } from '../../../src/lab/owned-processes.ts';

/** For the tests: starts what a lab starts, says so, and then ends in the way that argv names. */
const owned = new OwnedProcesses();
const folder = owned.folder('held');
// The second ignores its signal; the third is a grandchild.
const children = [
  owned.spawn('sleep', ['300']),
  owned.spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done']),
  owned.spawn('sh', ['-c', 'sleep 300 & wait']),
];
process.stdout.write(`${JSON.stringify({ folder, pids: children.map((child) => child.pid) })}\n`);
switch (process.argv[2]) {
  case 'exit':
    process.exit(3);
    break;
  case 'throw':
    throw new Error('on purpose');
  case 'dispose':
    await owned.dispose();
    break;
  default:
    setInterval(() => {}, 1_000);
}
