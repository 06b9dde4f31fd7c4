import { quickAsk } from '../broker/quick-ask.ts';
import { glanceAtHookFile } from '../config/hook-glance.ts';

export { runHookProcess } from './hook-process.ts';

/** Calls what a call for a stranger's guest needs, so that the build can keep it compiled. */
export async function warmUp(): Promise<void> {
  glanceAtHookFile({ FOREWARM_CONFIG: '/dev/null' });
  await quickAsk({ host: '127.0.0.1', port: 1 }, [], { name: 'build', timeoutMs: 100 });
}
