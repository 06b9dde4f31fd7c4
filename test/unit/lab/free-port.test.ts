import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../../src/lab/free-port.ts';

const drawn = vi.hoisted((): number[] => []);
vi.mock(import('node:crypto'), async (original) => {
  const actual = await original();
  const next = (...args: [number, number]) => drawn.shift() ?? actual.randomInt(...args);
  return { ...actual, randomInt: next as typeof actual.randomInt };
});

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
  const theirs = mine === 31_000 ? 31_001 : 31_000;
  expect(await claimElsewhere(theirs)).toBe('claimed');
  drawn.push(mine, theirs);
  expect([mine, theirs]).not.toContain(await freePort());
  expect(drawn).toEqual([]);
  const server = createServer().listen({ host: '0.0.0.0', port: mine });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
});
