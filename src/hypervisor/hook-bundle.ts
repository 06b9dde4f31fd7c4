export { runHookProcess } from './hook-process.ts';

/** Loads and calls what a call for a stranger's guest needs, so that the build can keep it compiled. */
export async function warmUp(): Promise<void> {
  const [{ glanceAtHookFile }, { isVmKnown }] = await Promise.all([
    import('../config/hook-glance.ts'),
    import('../broker/vm-known.ts'),
  ]);
  glanceAtHookFile({ FOREWARM_CONFIG: '/dev/null' });
  const nowhere = { url: 'nats://127.0.0.1:1', prefix: 'forewarm', timeoutMs: 100, name: 'build' };
  await isVmKnown(nowhere, 'none').catch(() => {});
}
