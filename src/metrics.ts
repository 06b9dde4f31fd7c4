/** The public API `forewarm/metrics`: switching pools in an application's own `prom-client` registry. */
export { type MeasuredPool, registerPoolMetrics } from './routing/pool-metrics.ts';
