import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * Stands in for a hypervisor, which this composition has none of: nothing moves, but as soon as a target is ready,
 * the VM is said to have arrived, as `forewarm migrate -- COMMAND` and the hooks say after a real move.
 */
const said = new Set();
const status = spawn('forewarm', ['status', '--watch', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => status.kill());
const timer = setInterval(() => writeFileSync('/tmp/alive', ''), 2_000);
for await (const line of createInterface({ input: status.stdout })) {
  for (const { id, state } of JSON.parse(line).migrations) {
    if (state !== 'ready' || said.has(id)) continue;
    said.add(id);
    execFile('forewarm', ['arrive', '--migration', id], (error, stdout, stderr) => {
      process.stdout.write(stdout + stderr);
      // The next change of anything's status brings it up again.
      if (error !== null) said.delete(id);
    });
  }
}
clearInterval(timer);
process.exitCode = status.exitCode ?? 1;
