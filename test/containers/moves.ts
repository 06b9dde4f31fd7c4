import { expect } from 'vitest';
import type { Composition } from './compose.ts';

export interface Move {
  /** The migration's name. */
  readonly id: string;
  /** The VM, whose service has the same name. */
  readonly vm: string;
  readonly from: string;
  readonly to: string;
}

/** What `forewarm migrate` prints at the agent of the source. */
export async function migrate(composition: Composition, { id, vm, from, to }: Move): Promise<string> {
  return composition.exec(
    `${from}-agent`,
    ...['forewarm', 'migrate', '--vm', vm, '--from', from, '--to', to],
    ...['--id', id, '--deadline', '40s'],
  );
}

/** Resolves when the application has switched, or begun there because it was away when its route changed, and reads there. */
export async function switched(
  composition: Composition,
  { vm, to, since }: { readonly vm: string; readonly to: string; readonly since: Date },
): Promise<void> {
  const options = { timeout: 60_000, interval: 500 };
  await expect
    .poll(() => composition.logs(vm, since), options)
    .toMatch(new RegExp(`switch \\w+ -> ${to}, .*: completed|begins at ${to}`));
  await expect
    .poll(() => composition.logs(vm, since), options)
    .toMatch(new RegExp(` ${to} \\d+ reads/s, 0 failed`));
}

/** Resolves when it reads from a replica at some rate. */
export async function reads(composition: Composition, vm: string, replica: string): Promise<void> {
  await expect
    .poll(() => composition.logs(vm), { timeout: 60_000, interval: 500 })
    .toMatch(new RegExp(`${replica} \\d{2,} reads`));
}

/** What Prometheus says of the agents that it asks. */
export async function scraped(
  composition: Composition,
): Promise<readonly { readonly instance: string; readonly health: string }[]> {
  const url = 'http://127.0.0.1:9090/api/v1/targets?state=active';
  const text = await composition.exec('prometheus', 'wget', '-q', '-O', '-', url);
  const { data } = JSON.parse(text) as {
    data: { activeTargets: readonly { health: string; labels: { instance: string } }[] };
  };
  return data.activeTargets.map(({ health, labels }) => ({ instance: labels.instance, health }));
}
