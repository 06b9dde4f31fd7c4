import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../src/lab/free-port.ts';

test('no port is given twice, in this process or by one beside it, and any address of it is free', async () => {
  const mine = await freePort();
  const script = `require('net').createServer().listen({ path: '\\0forewarm-lab-port-' + process.argv[1] }, () => console.log('claimed')).on('error', (error) => console.log(error.code))`;
  const claimElsewhere = async (port: number) => {
    const child = spawn(process.execPath, ['-e', script, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    return said.toString().trim();
  };
  expect(await claimElsewhere(mine)).toBe('EADDRINUSE');
  // Below those that are given without a draw: nobody else has claimed it.
  const theirs = 14_000;
  expect(await claimElsewhere(theirs)).toBe('claimed');
  const drawn = [mine, theirs];
  const next = await freePort(() => drawn.shift() ?? randomInt(15_000, 32_000));
  expect(drawn).toEqual([]);
  expect([mine, theirs]).not.toContain(next);
  const server = createServer().listen({ host: '0.0.0.0', port: mine });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
});
