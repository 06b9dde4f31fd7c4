/** Defaults that are also read where the schema library is not loaded. */
export const natsDefaults = { url: 'nats://127.0.0.1:4222', prefix: 'forewarm', timeout: '5s' } as const;

export const hookDefaults = { wait: '20s', state: '/run/forewarm' } as const;

/** A hypervisor's file. */
export const hookFile = '/etc/forewarm/hook.yaml';
