import { counter, gauge } from './declaration.ts';

/** Every metric of a switching pool. `pool` is the VM, or the name that it was registered by. */
export const poolMetrics = {
  phase: gauge('forewarm_pool_phase', {
    unit: 'none',
    labels: ['pool', 'phase'],
    help: '1 for the phase of the newest switch; all 0 before the first.',
  }),
  phases: counter('forewarm_pool_phases_total', {
    unit: 'none',
    labels: ['pool', 'phase'],
    help: 'How often each phase was entered.',
  }),
  replica: gauge('forewarm_pool_replica_info', {
    unit: 'none',
    labels: ['pool', 'replica'],
    help: '1 for the replica that new checkouts go to.',
  }),
  astray: gauge('forewarm_pool_off_route', {
    unit: 'none',
    labels: ['pool'],
    help: '1 while new checkouts go to another replica than the route says.',
  }),
  epoch: gauge('forewarm_pool_route_epoch', {
    unit: 'none',
    labels: ['pool'],
    help: 'Epoch of the newest route that was seen.',
  }),
  pauses: counter('forewarm_pool_pauses_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'How often new checkouts were held back for a switch.',
  }),
  pauseTime: counter('forewarm_pool_pause_seconds_total', {
    unit: 'seconds',
    labels: ['pool'],
    help: 'How long new checkouts were held back in all.',
  }),
  longestPause: gauge('forewarm_pool_longest_pause_seconds', {
    unit: 'seconds',
    labels: ['pool'],
    help: 'How long new checkouts were held back at most.',
  }),
  prepared: counter('forewarm_pool_connections_prepared_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Connections opened and warmed before a swap.',
  }),
  drained: counter('forewarm_pool_connections_drained_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Connections in use at a swap that were released by themselves.',
  }),
  cut: counter('forewarm_pool_connections_cut_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Connections in use at a swap that were cut off at `drainMs`.',
  }),
  behind: counter('forewarm_pool_behind_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Swaps to a replica that may not have shown all that was seen.',
  }),
  retries: counter('forewarm_pool_retries_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Switches that were tried again.',
  }),
  natsLost: counter('forewarm_pool_nats_lost_total', {
    unit: 'none',
    labels: ['pool'],
    help: 'Losses of the connection to NATS.',
  }),
};
