import { closeSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { isVmKnown } from '../broker/vm-known.ts';
import { hookDefaults } from '../config/defaults.ts';
import { asksToRefuse, glanceAtHookFile } from '../config/hook-glance.ts';
import { parseDurationMs } from '../lib/duration.ts';
import { describeError } from '../lib/errors.ts';
import { tell } from './hook-log.ts';
import { parseCall } from './libvirt-call.ts';
import { answerCall, type HookAnswer, type HookParts } from './libvirt-hook.ts';
import { hardEnds, refusalStatus } from './refusal-status.ts';
import { keepShortcut, shortcutVariable } from './shortcut.ts';

/** What may follow a wait that is over: taking the intent back, and the log. In milliseconds. */
const afterwardsMs = 1_500;

/** Work of Node's threads, which it waits for when it exits. */
const uninterruptible: ReadonlySet<string> = new Set(['GetAddrInfoReqWrap', 'FSReqCallback', 'FSReqPromise']);

/** A domain's XML is some KiB; what is far longer is not parsed, since that could take longer than the wait. */
const xmlMaxBytes = 4 << 20;

/**
 * One call of libvirt's hook, as a process that does nothing else: whatever happens it ends in time, with 0, or with
 * `refusal` where policy `require` refuses the migration. Nothing is ever written to stdout, which libvirt would take
 * for the domain's new XML.
 */
export async function runHookProcess(argv: readonly string[], refusal: number): Promise<never> {
  silenceStdout();
  let logFile: string | undefined;
  const underLauncher = refusal === refusalStatus;
  const end = (answer: HookAnswer): never => {
    if (answer.line !== undefined) tell(answer.line, answer.logFile ?? logFile);
    if (underLauncher && process.getActiveResourcesInfo().some((what) => uninterruptible.has(what))) {
      process.kill(process.pid, answer.allow ? hardEnds.allow : hardEnds.refuse);
    }
    process.exit(answer.allow ? 0 : refusal);
  };
  // A timer of its own: it asks nobody whether the time is up.
  let late: HookAnswer = { allow: true, line: 'the hook did not end in time; going on without warming' };
  let timer = setTimeout(() => end(late), parseDurationMs(hookDefaults.wait)! + afterwardsMs);
  const bound: HookParts['bound'] = (ms, answer) => {
    clearTimeout(timer);
    late = answer;
    const leftMs = Math.max(1, ms - performance.now());
    timer = setTimeout(() => end(late), leftMs + afterwardsMs);
    return leftMs;
  };
  const fault = (error: unknown) => {
    const { code, message } = describeError(error);
    const isComing = argv[1] === 'migrate';
    const refuses = code === 'config_invalid' && isComing && asksToRefuse(process.env);
    const going = refuses
      ? 'refused by policy require'
      : isComing
        ? 'going on without warming'
        : 'its end here is not told';
    end({ allow: !refuses, line: `guest ${argv[0]}: ${message.replaceAll(/\s*\n\s*/g, '; ')}; ${going}` });
  };
  process.on('uncaughtException', fault);
  process.on('unhandledRejection', fault);
  try {
    const call = parseCall(argv);
    if (call === undefined) {
      const line = `the hook of libvirt is called as GUEST OPERATION SUBOPERATION EXTRA, not ${JSON.stringify(argv)}`;
      return end({ allow: true, line });
    }
    const glance = glanceAtHookFile(process.env);
    const shortcut = process.env[shortcutVariable];
    logFile = glance?.logFile;
    return end(
      await answerCall(call, {
        glance: () => glance,
        loadConfig: async () => (await import('../config/load.ts')).loadHookConfig().config,
        asksToRefuse: () => asksToRefuse(process.env),
        readXml: once(readStdin),
        isVmKnown: async (nats, vm) => {
          const known = await isVmKnown({ ...nats, name: 'forewarm hook' }, vm);
          if (!known && nats === glance?.nats && shortcut) keepShortcut(shortcut, glance);
          return known;
        },
        announcements: () => import('./hook-announcements.ts'),
        bound,
      }),
    );
  } catch (error) {
    return fault(error) as never;
  }
}

/** File descriptor 1 leads to nowhere from here on, also for what Node itself would print. */
function silenceStdout(): void {
  try {
    closeSync(1);
    // The lowest one that is free: 1, unless 0 was closed already.
    while (openSync('/dev/null', 'w') < 1);
  } catch {
    // It was closed already.
  }
}

function once<T>(make: (ms: number) => Promise<T>): (ms: number) => Promise<T> {
  let made: Promise<T> | undefined;
  return (ms) => {
    made ??= make(ms);
    return made;
  };
}

/** All of stdin, or what has come of it after a while; empty where it is too long. Without an XML a guest goes by its own name. */
function readStdin(ms: number): Promise<string> {
  return new Promise((resolve) => {
    let pieces: Buffer[] = [];
    let bytes = 0;
    const done = () => {
      clearTimeout(timer);
      process.stdin.destroy();
      resolve(Buffer.concat(pieces).toString('utf8'));
    };
    const timer = setTimeout(done, ms);
    process.stdin.on('data', (piece: Buffer) => {
      bytes += piece.length;
      // It is read to its end all the same: libvirt is still writing it.
      if (bytes > xmlMaxBytes) pieces = [];
      else pieces.push(piece);
    });
    process.stdin.once('end', done);
    process.stdin.once('error', done);
  });
}
