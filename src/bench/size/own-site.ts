import { Site, type SiteOptions } from '../../lab/experiment/site.ts';
import { OwnedProcesses } from '../../lab/owned-processes.ts';

/**
 * Runs work on a site that is taken down right after it, for the next one needs its memory and disk. Taken down
 * as well when this process ends before.
 */
export async function withSite<T>(
  options: Omit<SiteOptions, 'owned'>,
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const owned = new OwnedProcesses({ handleSignals: false });
  try {
    const site = await Site.start({ ...options, owned });
    try {
      return await work(site);
    } finally {
      await site.close();
    }
  } finally {
    await owned.dispose();
  }
}
