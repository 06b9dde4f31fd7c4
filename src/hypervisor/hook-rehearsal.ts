import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isVmKnown } from '../broker/vm-known.ts';
import { glanceAtHookFile } from '../config/hook-glance.ts';
import { answerCall } from './libvirt-hook.ts';

const configuration = `# as in the README
nats: { url: "nats://127.0.0.1:PORT", prefix: forewarm, timeout: 1s, user: 'u', password: "p" }
host: hv1
hosts:
  hv1: db1
  hv2: db2
guests: { "web 1.example": app1 }
wait: 20s
policy: proceed
logFile: /dev/null
`;

/**
 * Answers the call for a stranger's guest before a NATS of its own that knows nobody: what has run once, the build can
 * keep compiled. Nothing depends on it but the time of the next start.
 */
export async function rehearse(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'forewarm-rehearsal-'));
  const error = { code: 404, err_code: 10_037, description: 'no message found' };
  const nobody = JSON.stringify({ type: 'none', error });
  const nats = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('INFO {"server_id":"rehearsal","headers":true,"max_payload":1048576}\r\nPING\r\n');
    socket.on('data', (data) => {
      for (const [, inbox] of data.toString().matchAll(/PUB \S+ (_INBOX\.\S+)/g))
        socket.write(`MSG ${inbox} 1 ${nobody.length}\r\n${nobody}\r\n`);
    });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      nats.once('error', reject);
      nats.listen(0, '127.0.0.1', resolve);
    });
    const { port } = nats.address() as { port: number };
    const file = join(folder, 'hook.yaml');
    writeFileSync(file, configuration.replace('PORT', String(port)));
    const unused = () => Promise.reject(new Error('a rehearsal gets no further'));
    await answerCall(
      { guest: 'rehearsal', operation: 'migrate', suboperation: 'begin', extra: '-' },
      {
        glance: () => glanceAtHookFile({ FOREWARM_CONFIG: file }),
        loadConfig: unused,
        asksToRefuse: () => false,
        readXml: async () => '<domain/>',
        isVmKnown: (options, vm) => isVmKnown({ ...options, name: 'rehearsal' }, vm),
        announcements: unused,
        bound: (ms) => ms,
      },
    );
  } finally {
    nats.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
