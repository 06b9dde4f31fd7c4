/** How the hook's process tells its launcher of a refusal: no crash of Node ends with it. */
export const refusalStatus = 77;

/**
 * As what a process ends by these signals of its own: `process.exit` waits for a name's resolution that is under
 * way, which nobody can interrupt, and libvirt would wait with it. Neither dumps core, and Node uses neither.
 */
export const hardEnds = { allow: 'SIGUSR2', refuse: 'SIGVTALRM' } as const;
