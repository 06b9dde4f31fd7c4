import { ForewarmError } from '../lib/errors.ts';

export interface ConfigFault {
  /** `agent.yaml:3:5`, `environment FOREWARM_NATS_URL` or `flag --nats-url`. */
  readonly place: string;
  /** The option, dotted; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** All faults of a configuration at once. */
export class ConfigError extends ForewarmError {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(
      ({ place, path, message }) => `${place}: ${path === '' ? '' : `${path} `}${message}`,
    );
    const one = faults.length === 1;
    super('config_invalid', one ? lines[0]! : `${faults.length} faults:\n  ${lines.join('\n  ')}`, {
      hint: `Mend ${one ? 'it' : 'them'} and start again; the README lists every option.`,
    });
    this.name = 'ConfigError';
    this.faults = faults;
  }
}
