import type { Profile } from '../messages/profile.ts';
import { nameKey } from './relation-name.ts';

/** Part of a VM's accesses that must have moved elsewhere for a profile to be worth publishing at once. */
const movedShare = 0.02;

/**
 * Whether a profile says something that the published one does not. Most windows say what the ones before said,
 * and thousands of VMs would otherwise fill NATS with it. One that says the same is news after `renewalMs`, for its
 * time is told to people.
 */
export function isNews(published: Profile | undefined, now: Profile, renewalMs: number): boolean {
  if (published === undefined) return true;
  const age = Date.parse(now.at) - Date.parse(published.at);
  if (age === 0) return false;
  // A clock that was set back must not silence it.
  if (age < 0 || age >= renewalMs) return true;
  const unexplained = Math.abs(now.unexplained.share - published.unexplained.share);
  return unexplained >= movedShare || movedBetween(published, now) >= movedShare;
}

/** Half of the sum of all differences of shares: the part that would have to move from one to become the other. */
function movedBetween(before: Profile, after: Profile): number {
  const shares = new Map<string, number>();
  const add = (profile: Profile, sign: 1 | -1) => {
    for (const relation of profile.relations) {
      const key = nameKey(relation);
      shares.set(key, (shares.get(key) ?? 0) + sign * relation.share);
    }
  };
  add(after, 1);
  add(before, -1);
  return [...shares.values()].reduce((sum, difference) => sum + Math.abs(difference), 0) / 2;
}
