import type { Engine, ServerHealth, ServerIdentity } from '../engines/engine.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { defaultThrottleOptions } from '../planning/throttle.ts';

/** What the residents of a server feel: statement latency and waiting for I/O. */
export interface ResidentLoad {
  /** Mean milliseconds a statement of everybody but Forewarm; null without calls or without statistics. */
  readonly latencyMs: number | null;
  /** Statements behind that mean. */
  readonly statements: number;
  /** Blocks that a statement had to read, those that Forewarm read counted in where they cannot be told; null: unknown. */
  readonly readsPerStatement: number | null;
  /** Part of the running sessions that wait for I/O, 0 to 1. */
  readonly ioWaitShare: number;
}

/** A look that is older than this says nothing of the server any more: the next one hangs. */
const hangsMs = 15_000;
const lookAgainMs = 500;
/** A ratio of fewer says nothing. */
const { leastStatements } = defaultThrottleOptions;
/** Weight of the newest look in the usual load. */
const baselineStep = 0.2;

/**
 * Keeps an eye on the server beside the agent: whether it answers, who it is, how its residents fare,
 * and how they usually fare. Looks taken while anything is warmed do not move the usual.
 */
export class ServerWatch {
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #identity: ServerIdentity | null = null;
  #health: ServerHealth | null = null;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #current: ResidentLoad = {
    latencyMs: null,
    statements: 0,
    readsPerStatement: null,
    ioWaitShare: 0,
  };
  #usual: ResidentLoad | null = null;
  #warmers = 0;
  /** Looks at how residents fare since warming began. */
  #looksWhileWarming = 0;

  constructor(engine: Engine, logger: Logger, clock: Clock = systemClock) {
    this.#engine = engine;
    this.#logger = logger;
    this.#clock = clock;
  }

  get identity(): ServerIdentity | null {
    return this.#identity;
  }

  /** The newest look; null while the server does not answer. */
  get health(): ServerHealth | null {
    return this.#health;
  }

  /** Milliseconds since the newest look ended; endless before the first. A look at a server that hangs does not end. */
  get ageMs(): number {
    return this.#clock.monotonicMs() - this.#lookedAtMs;
  }

  /**
   * What residents feel of the warming that is under way: the first look after its beginning tells in part of the time
   * before, when pools were walked.
   */
  get whileWarming(): ResidentLoad {
    return this.#looksWhileWarming > 1 ? this.#current : { ...this.#current, latencyMs: null, statements: 0 };
  }

  /** Null until there was a look without warming. */
  get usual(): ResidentLoad | null {
    return this.#usual;
  }

  /** Call when warming starts; the returned function when it ends. */
  warming(): () => void {
    this.#warmers += 1;
    if (this.#warmers === 1) {
      this.#looksWhileWarming = 0;
      void this.lookNow();
    }
    let ended = false;
    return () => {
      if (!ended) this.#warmers -= 1;
      ended = true;
    };
  }

  /** Looks again when the last look is older than half a second; never rejects. */
  async look(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#lookedAtMs < lookAgainMs) return;
    await this.#lookOnce();
  }

  /** A look that begins now; never rejects. */
  async lookNow(): Promise<void> {
    await this.#looking;
    await this.#lookOnce();
  }

  async #lookOnce(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    await this.#looking;
  }

  /** Reads the identity anew: version, pool, capabilities. Rejects while the server does not answer. */
  async identify(): Promise<ServerIdentity> {
    this.#identity = await this.#engine.identify();
    return this.#identity;
  }

  async #look(): Promise<void> {
    const before = this.#health;
    try {
      if (before === null) await this.identify();
      const health = await this.#engine.health();
      this.#current = loadBetween(before, health);
      if (this.#warmers === 0) this.#usual = blend(this.#usual, this.#current);
      else if (this.#current.statements > 0) this.#looksWhileWarming += 1;
      if (before === null) this.#logger.info({ version: this.#identity?.version }, 'the database answers');
      this.#health = health;
    } catch (error) {
      if (before !== null || this.#lookedAtMs === Number.NEGATIVE_INFINITY) {
        this.#logger.error({ error: (error as Error).message }, 'the database does not answer');
      }
      this.#health = null;
    } finally {
      this.#lookedAtMs = this.#clock.monotonicMs();
    }
  }
}

/** True when the newest look says nothing of the server any more. */
export function isStale({ ageMs }: ServerWatch): boolean {
  return ageMs >= hangsMs;
}

/** What residents felt between two looks. */
export function loadBetween(before: ServerHealth | null, now: ServerHealth): ResidentLoad {
  const calls = (now.statements?.calls ?? 0) - (before?.statements?.calls ?? 0);
  const ms = (now.statements?.ms ?? 0) - (before?.statements?.ms ?? 0);
  const reads = (now.statements?.reads ?? 0) - (before?.statements?.reads ?? 0);
  // Counters that fell were reset; they say nothing this time.
  const known = before?.statements != null && now.statements !== null && calls > 0 && ms >= 0;
  return {
    latencyMs: known ? ms / calls : null,
    statements: known ? calls : 0,
    readsPerStatement: known && reads >= 0 && calls >= leastStatements ? reads / calls : null,
    ioWaitShare: now.active === 0 ? 0 : now.ioWaiting / now.active,
  };
}

function blend(usual: ResidentLoad | null, current: ResidentLoad): ResidentLoad {
  if (usual === null) return current;
  const mix = (old: number, fresh: number) => old + baselineStep * (fresh - old);
  return {
    latencyMs:
      current.latencyMs === null || usual.latencyMs === null
        ? (current.latencyMs ?? usual.latencyMs)
        : mix(usual.latencyMs, current.latencyMs),
    statements: current.statements,
    // Of late only: after its restart a server reads for a while what it finds in the pool then.
    readsPerStatement: current.readsPerStatement ?? usual.readsPerStatement,
    ioWaitShare: mix(usual.ioWaitShare, current.ioWaitShare),
  };
}
