import { Command } from 'commander';
import { ConfigError } from '../config/faults.ts';
import { loadAgentConfig } from '../config/load.ts';
import { type AgentConfig, agentOptions } from '../config/options.ts';
import { createEngine } from '../engines/create-engine.ts';
import type { Finding } from '../engines/engine.ts';
import { silentLogger } from '../lib/logger.ts';
import { connectAs } from '../publisher/connect.ts';
import { addConfigOptions, type CommandContext, configSource, type Flags, print } from './context.ts';
import { adviceOn, checkBroker, configFindings, findingOf } from './doctor-checks.ts';

export function createCommand(context: CommandContext): Command {
  const command = new Command('doctor')
    .description('Checks everything that an agent needs, and prints every fault at once with what mends it.')
    .option('--json', 'print the findings as JSON');
  addConfigOptions(command, agentOptions);
  command.addHelpText(
    'after',
    '\nExit status: 0 no fault (warnings are none), 1 a fault, 2 a fault in the configuration.\n\nExamples:\n  forewarm doctor --config /etc/forewarm/agent.yaml\n  forewarm doctor --config db2.yaml --json',
  );
  command.action((flags: Flags) => doctor(context, flags));
  return command;
}

async function doctor(context: CommandContext, flags: Flags): Promise<void> {
  const findings: Finding[] = [];
  let status = 0;
  try {
    const { config, warnings, file } = loadAgentConfig(configSource(context, flags, agentOptions));
    findings.push({ level: 'ok', subject: 'configuration', message: file ?? 'from environment and flags' });
    findings.push(
      ...warnings.map((message): Finding => ({ level: 'warning', subject: 'configuration', message })),
    );
    findings.push(...adviceOn(config));
    const parts = await Promise.all([
      checkEngine(config),
      checkBroker(() => connectAs('doctor', config), config.replica),
    ]);
    findings.push(...parts.flat());
    if (findings.some((finding) => finding.level === 'fault')) status = 1;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    findings.push(...configFindings(error));
    status = 2;
  }
  context.exitStatus = status;
  print(context, flags, { ok: status === 0, findings }, () => renderFindings(findings));
}

async function checkEngine(config: AgentConfig): Promise<readonly Finding[]> {
  try {
    const engine = createEngine(config.database.engine, {
      replica: config.replica,
      url: config.database.url,
      databases: config.database.databases,
      vms: config.vms,
      statementTimeoutMs: config.database.statementTimeoutMs,
      exactMs: config.observe.exactMs,
      logger: silentLogger,
    });
    try {
      return await engine.check();
    } finally {
      await engine.close();
    }
  } catch (error) {
    return [findingOf('database', error)];
  }
}

const marks = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' } as const;

/** Exported for tests. */
export function renderFindings(findings: readonly Finding[]): string {
  const lines = findings.map(({ level, subject, message, remedy }) => {
    const mend =
      remedy === undefined || level === 'ok'
        ? ''
        : `\n           ${remedy.replaceAll('\n', '\n           ')}`;
    return `${marks[level]}  ${subject}: ${message}${mend}\n`;
  });
  const count = (level: Finding['level']) => {
    const number = findings.filter((finding) => finding.level === level).length;
    return `${number} ${level}${number === 1 ? '' : 's'}`;
  };
  return `${lines.join('')}\n${count('fault')}, ${count('warning')}\n`;
}
