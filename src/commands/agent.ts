import { Command } from 'commander';
import { loadAgentConfig } from '../config/load.ts';
import { agentOptions } from '../config/options.ts';
import { yieldProcessors } from '../lib/priority.ts';
import { addConfigOptions, type CommandContext, configSource, type Flags } from './context.ts';

export function createCommand(context: CommandContext): Command {
  const command = new Command('agent').description(
    'Runs the agent of one replica until SIGTERM or SIGINT, which let it finish in order; a second one ends it at once.',
  );
  addConfigOptions(command, agentOptions);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm agent --config /etc/forewarm/agent.yaml\n  FOREWARM_LOG_LEVEL=debug forewarm agent --config db2.yaml',
  );
  command.action(async (flags: Flags) => {
    const { config, warnings } = loadAgentConfig(configSource(context, flags, agentOptions));
    for (const warning of warnings) context.err(`forewarm: ${warning}\n`);
    context.drains = true;
    yieldProcessors();
    // Late: a wrong configuration is told before the drivers are loaded.
    const { runAgent } = await import('../agent/run-agent.ts');
    await runAgent(config, { signal: context.signal });
    // Told to end, and ended in order.
    if (context.signal.aborted) context.exitStatus = 0;
  });
  return command;
}
