import { coordinationSuite } from './coordination/suite.ts';
import { costSuite } from './cost/suite.ts';
import { mysqlSuite } from './mysql-suite.ts';
import { paperSuite } from './paper-suite.ts';
import { planningSuite } from './planning-suite.ts';
import { postgresSuite } from './postgres-suite.ts';
import { residentsSuite } from './residents/suite.ts';
import { rivalsSuite } from './rivals/suite.ts';
import { sizeSuite } from './size/suite.ts';
import type { Suite } from './suite.ts';

/** All benchmarks, in the order of their listing. */
export const suites: readonly Suite[] = [
  ...[paperSuite, rivalsSuite, residentsSuite, sizeSuite, costSuite, coordinationSuite],
  ...[postgresSuite, mysqlSuite, planningSuite],
];
