import { ForewarmError } from '../../lib/errors.ts';

/** Whether TEST_SERVERS asks for servers in containers rather than as processes of this machine. */
export function containersWanted(): boolean {
  const wanted = process.env['TEST_SERVERS'] || 'processes';
  if (wanted === 'containers') return true;
  if (wanted === 'processes') return false;
  throw new ForewarmError('lab_unavailable', `TEST_SERVERS=${wanted} is neither processes nor containers`);
}
