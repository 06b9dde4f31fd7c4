import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { hookFile } from '../config/defaults.ts';
import { ForewarmError } from '../lib/errors.ts';
import { hardEnds, refusalStatus } from './refusal-status.ts';
import { shortcutVariable } from './shortcut.ts';

/** In every launcher that an install wrote. */
const signature = 'written by `forewarm hook libvirt --install`';

/**
 * The script that libvirt runs. All paths in it are absolute, since libvirt's PATH may lack Node. It is started through
 * `timeout`: a last bound should Node itself hang, and a program below /usr/bin, which AppArmor's profile of libvirtd
 * lets out of its confinement, as it does not let a Node elsewhere.
 */
export function launcherScript(options: {
  /** Node with its arguments, up to the hook's module. */
  readonly command: readonly string[];
  readonly timeout: string;
  readonly boundMs: number;
  /** Passed on as FOREWARM_CONFIG. */
  readonly config: string | undefined;
  /** What tells a stranger's guest without Node, where this host has what it needs. */
  readonly quick?: QuickLook | undefined;
}): string {
  const { command, timeout, boundMs, config, quick } = options;
  const boundSeconds = Math.ceil(boundMs / 1_000);
  return `#!/bin/sh
# Forewarm's hook for libvirt, ${signature}; an install writes it anew.
# Nothing may reach stdout: libvirt would take it for the domain's XML.
exec >/dev/null
# Where stdin or stderr is closed, what comes below would end the shell, and refuse the guest.
true <&0 || exec </dev/null
true >&2 || exec 2>/dev/null
case "$2 $3" in
  "migrate begin" | "stopped end" | "release end") ;;
  *) exit 0 ;;
esac
${config === undefined ? '' : `FOREWARM_CONFIG=${quote(config)}\nexport FOREWARM_CONFIG\n`}${quick === undefined ? '' : quickLook(quick, config)}# A signal may be the hook's answer: of that the shell's own word goes nowhere, and what the hook says to stderr.
exec 3>&2 2>/dev/null
answer() {
  exec ${quote(timeout)} -k 5 ${boundSeconds} ${command.map(quote).join(' ')} "$@" 2>&3 3>&-
}
${quick === undefined ? '(answer "$@")' : `if [ -n "$xml" ]; then printf %s "$xml" | answer "$@"; else (answer "$@"); fi`}
status=$?
case $status in
  0 | ${128 + constants.signals[hardEnds.allow]}) exit 0 ;;
  # Policy require refuses a migration; nothing else does.
  ${refusalStatus} | ${128 + constants.signals[hardEnds.refuse]}) exit 1 ;;
esac
message="guest $1: the hook ended with $status (124: not within ${boundSeconds} s); going on without warming"
echo "forewarm: $message" >&3
logger -t forewarm -- "$message" 3>&- </dev/null
exit 0
`;
}

/** A bash, `stranger.bash` and where its shortcut is. */
export interface QuickLook {
  readonly bash: string;
  readonly script: string;
  readonly shortcut: string;
}

/** What it took of stdin it gives back: then the hook's process reads it from there. */
function quickLook({ bash, script, shortcut }: QuickLook, config = hookFile): string {
  const [program, asked, file] = [bash, script, shortcut].map(quote);
  return `xml=
if [ -r ${file} ] && [ -r ${asked} ] && [ -x ${program} ]; then
  xml=$(exec ${program} ${asked} ${file} ${quote(config)} "$@") && exit 0
fi
${shortcutVariable}=${file}
export ${shortcutVariable}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Where the launcher goes: libvirt 6.5 and later run what is in `qemu.d`, older ones only `qemu`. Rejects when an
 * older one has a hook of somebody else.
 */
export function launcherPath(options: {
  readonly folder: string;
  /** As in `9.0.0`; undefined where there is no libvirt to ask. */
  readonly libvirtVersion: string | undefined;
}): string {
  const { folder, libvirtVersion } = options;
  const single = join(folder, 'qemu');
  const beside = join(folder, 'qemu.d', 'forewarm');
  if (isOurs(single)) return single;
  const [major = 9, minor = 0] = libvirtVersion?.split('.').map(Number) ?? [];
  if (major > 6 || (major === 6 && minor >= 5)) return beside;
  if (!existsSync(single)) return single;
  throw new ForewarmError(
    'config_invalid',
    `${single} is there already, and libvirt ${libvirtVersion} runs no other hook`,
    {
      hint: `Write Forewarm's elsewhere (--folder DIR) and call it from ${single} with the same arguments and stdin.`,
    },
  );
}

function isOurs(file: string): boolean {
  return existsSync(file) && readFileSync(file, 'utf8').includes(signature);
}

/** Writes the launcher; a call of libvirt's meanwhile runs the old one or the new one. Throws `config_invalid`. */
export function installLauncher(path: string, script: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fresh = join(dirname(dirname(path)), `.forewarm.${process.pid}`);
    writeFileSync(fresh, script);
    chmodSync(fresh, 0o755);
    renameSync(fresh, path);
  } catch (error) {
    throw new ForewarmError(
      'config_invalid',
      `the hook could not be written to ${path}: ${(error as Error).message}`,
      {
        hint: 'Run it as root, or see with --dry-run what it would write.',
        cause: error,
      },
    );
  }
}
