import { type Clock, systemClock } from '../lib/clock.ts';
import { type Budget, type PoolCounts, poolBudget } from '../planning/budget.ts';
import { fairShares, nextTurn, type TurnCandidate } from '../planning/shares.ts';

export interface PoolNeeds {
  /** Blocks in the pool that look cold, but are the migration's. */
  readonly heldBlocks: number;
  /** Blocks that it would still read if there were room for all. */
  readonly missingBlocks: number;
}

export interface SharedBudget extends Budget {
  /** Others will give back what was set aside for them in a moment: ask again. */
  readonly provisional: boolean;
}

/** One migration's place among those that warm this target at the same time. */
export interface Place {
  /** How many more blocks this migration may read into the pool now; they are set aside for it. */
  budget(pool: PoolCounts, needs: PoolNeeds): SharedBudget;
  /** So many of the blocks set aside are in the pool now. */
  spend(blocks: number): void;
  /** Plan anew: others came or went since the last budget and room is scarce, or the VM has arrived. */
  readonly outdated: boolean;
  arrive(): void;
  /** Most steps that read from the disk at the same time, those of others counted in. */
  readonly readers: number;
  /** Waits for this migration's turn at the disk; the result ends it, and tells the disk time that it took in ms. */
  turn(): Promise<() => number>;
  leave(): void;
}

interface Member extends TurnCandidate {
  arrived: boolean;
  heldBlocks: number;
  missingBlocks: number;
  /** Set aside by the last budget, and not read yet. */
  grantedBlocks: number;
  waitedTurns: number;
}

/**
 * How long what was read into a full pool counts against its cold buffers. To find room the server has taken a count of
 * heat from everybody: until residents have used their blocks again, some of them look cold, and are not.
 */
const recoveryMs = 60_000;

/** Shares the target's pool and its disk among the migrations that are under way. */
export class TargetShare {
  readonly #maxPoolFraction: number;
  readonly #slots: number;
  readonly #clock: Clock;
  readonly #members = new Set<Member>();
  readonly #waiting: { readonly member: Member; readonly start: () => void }[] = [];
  #reading = 0;
  /** Rises when a migration comes or goes. */
  #generation = 0;
  #scarce = false;
  /** Blocks read into the pool within `recoveryMs`, oldest first. */
  #recent: { readonly atMs: number; readonly blocks: number }[] = [];
  /** Free and cold buffers of others when nothing had been read lately. */
  #untouchedBlocks = 0;
  #diskMs = 0;
  #diskAtMs = 0;

  constructor(options: { readonly maxPoolFraction: number; readonly slots: number; readonly clock?: Clock }) {
    this.#maxPoolFraction = options.maxPoolFraction;
    this.#slots = options.slots;
    this.#clock = options.clock ?? systemClock;
  }

  /** Steps that wait for their turn at the disk. */
  get waitingTurns(): number {
    return this.#waiting.length;
  }

  join(id: string, deadlineMs: number | null): Place {
    const member = newMember(id, deadlineMs);
    let plannedAt: number | null = null;
    let arrivedSince = false;
    const isOutdated = () => arrivedSince || (this.#scarce && plannedAt !== this.#generation);
    return {
      budget: (pool, needs) => {
        if (plannedAt === null) this.#generation += 1;
        plannedAt = this.#generation;
        arrivedSince = false;
        this.#members.add(member);
        Object.assign(member, needs, { grantedBlocks: 0 });
        const { budget, scarce } = this.#budgetOf(member, pool, [...this.#members]);
        member.grantedBlocks = Math.min(budget.blocks, needs.missingBlocks);
        this.#scarce = scarce;
        return budget;
      },
      spend: (blocks) => {
        this.#recent.push({ atMs: this.#clock.monotonicMs(), blocks });
        member.heldBlocks += blocks;
        member.missingBlocks = Math.max(0, member.missingBlocks - blocks);
        member.grantedBlocks = Math.max(0, member.grantedBlocks - blocks);
      },
      get outdated() {
        return isOutdated();
      },
      arrive: () => {
        if (member.arrived) return;
        member.arrived = true;
        arrivedSince = plannedAt !== null;
      },
      readers: this.#slots,
      turn: () => this.#turn(member),
      leave: () => {
        if (this.#members.delete(member)) this.#generation += 1;
      },
    };
  }

  /** The budget that one more migration would get now. */
  probe(pool: PoolCounts, needs: PoolNeeds): SharedBudget {
    const member = Object.assign(newMember('', null), needs);
    return this.#budgetOf(member, pool, [...this.#members, member]).budget;
  }

  /** A fair share of what can be had, as far as others do not hold it or have it set aside: nothing is taken back. */
  #budgetOf(member: Member, pool: PoolCounts, members: readonly Member[]) {
    const whole = this.#wholeBudget(pool, members);
    const needs = members.map((one) => one.heldBlocks + one.missingBlocks);
    const shares = fairShares(whole.blocks, needs);
    const share = shares[members.indexOf(member)] ?? 0;
    const taken = sum(members, (one) => one.heldBlocks + (one === member ? 0 : one.grantedBlocks));
    const blocks = Math.max(0, Math.min(share - member.heldBlocks, whole.blocks - taken));
    const excess = sumOf(
      members.map((one, i) =>
        one === member ? 0 : Math.max(0, one.grantedBlocks - Math.max(0, shares[i]! - one.heldBlocks)),
      ),
    );
    const provisional = excess > 0 && blocks < share - member.heldBlocks;
    const others = members.length - 1;
    const shared = others > 0 ? `, shared with ${others} other migration${others === 1 ? '' : 's'}` : '';
    return {
      budget: { blocks, reason: whole.reason + shared, provisional },
      scarce: sumOf(needs) > whole.blocks,
    };
  }

  /** What the pool has for all migrations together, what they hold of it included. */
  #wholeBudget(pool: PoolCounts, members: readonly Member[]): Budget {
    const whole = poolBudget(pool, { maxFraction: this.#maxPoolFraction });
    const held = sum(members, (one) => one.heldBlocks);
    // What was read before the server's start is gone.
    const sinceMs = this.#clock.monotonicMs() - Math.min(recoveryMs, pool.upMs ?? recoveryMs);
    this.#recent = this.#recent.filter(({ atMs }) => atMs > sinceMs);
    if (this.#recent.length === 0) {
      this.#untouchedBlocks = whole.blocks - held;
      return whole;
    }
    const recent = sumOf(this.#recent.map(({ blocks }) => blocks));
    // To fill a free buffer takes nothing from anybody.
    const left = Math.max(pool.freeBlocks, this.#untouchedBlocks - recent);
    if (whole.blocks <= held + left) return whole;
    const reason = `${whole.reason}, of which ${left} are left: ${recent} were read within a minute, and residents have not used theirs again`;
    return { blocks: Math.max(0, held + left), reason };
  }

  #turn(member: Member): Promise<() => number> {
    return new Promise((resolve) => {
      const start = () => {
        this.#countDiskTime();
        this.#reading += 1;
        const beganMs = this.#diskMs;
        let tookMs: number | null = null;
        resolve(() => {
          if (tookMs !== null) return tookMs;
          this.#countDiskTime();
          this.#reading -= 1;
          tookMs = this.#diskMs - beganMs;
          this.#startNext();
          return tookMs;
        });
      };
      this.#waiting.push({ member, start });
      this.#startNext();
    });
  }

  #startNext(): void {
    while (this.#reading < this.#slots && this.#waiting.length > 0) {
      const chosen = nextTurn(this.#waiting.map(({ member }) => member));
      const at = this.#waiting.findIndex(({ member }) => member === chosen);
      const [next] = this.#waiting.splice(at, 1);
      for (const member of new Set(this.#waiting.map((one) => one.member))) member.waitedTurns += 1;
      next!.member.waitedTurns = 0;
      next!.start();
    }
  }

  /** Time that passes while n steps read counts as 1/n for each: what the device took for it. */
  #countDiskTime(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#reading > 0) this.#diskMs += (nowMs - this.#diskAtMs) / this.#reading;
    this.#diskAtMs = nowMs;
  }
}

function newMember(id: string, deadlineMs: number | null): Member {
  return {
    id,
    deadlineMs,
    arrived: false,
    waitedTurns: 0,
    heldBlocks: 0,
    missingBlocks: 0,
    grantedBlocks: 0,
  };
}

function sum(members: readonly Member[], of: (member: Member) => number): number {
  return sumOf(members.map(of));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
