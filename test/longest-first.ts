import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, longest first. */
const longest = [
  'demo',
  'mysql-migration',
  'postgres-attribution',
  'mysql-hot-part',
  'nats-away',
  'mysql-engine',
  'switching-storm',
  'switching-mysql',
  'route-watch',
  'commands',
  'agent-killed',
  'switching-replicas',
  'database-restarts',
  'lab-mysql',
  'engine-contract',
  'mysql-attribution',
].map((name) => `/${name}.test.ts`);

/** One that begins last would run on alone; a clean checkout has no times of an earlier run to order by. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? longest.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
