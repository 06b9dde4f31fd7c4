import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Qmp } from '../../../src/hypervisor/qmp.ts';

/** A mock: no QEMU can be had to say what is none of its protocol. */

const folder = mkdtempSync(join(tmpdir(), 'forewarm-qmp-'));
const path = join(folder, 'qmp');
const noise = ['null', '7', '"text"', 'no JSON', '[]', '{"return": 1}', ''].join('\n');
let server: Server;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`${noise}\n{"QMP": {}}\n`);
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const { id, execute } = JSON.parse(line) as { id: number; execute: string };
        socket.write(`${noise}\n${JSON.stringify({ return: execute, id })}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test('lines that are none of the protocol are passed over', async () => {
  const qmp = await Qmp.connect(path);
  expect(await qmp.execute('query-status')).toBe('query-status');
  qmp.close();
  await qmp.closed;
});
