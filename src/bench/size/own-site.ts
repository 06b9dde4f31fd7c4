import { Site, type SiteOptions } from '../../lab/experiment/site.ts';
import { OwnedProcesses } from '../../lab/owned-processes.ts';

/**
 * Tells the database's version and runs work on a site that is taken down right after it, for the next one needs its memory and disk. Taken down
 * as well when this process ends before.
 */
export async function withSite<T>(
  options: Omit<SiteOptions, 'owned'> & { readonly onVersion: (version: string) => void },
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const { onVersion, ...siteOptions } = options;
  const owned = new OwnedProcesses({ handleSignals: false });
  try {
    const site = await Site.start({ ...siteOptions, owned });
    try {
      onVersion(site.database.version);
      return await work(site);
    } finally {
      await site.close();
    }
  } finally {
    await owned.dispose();
  }
}
