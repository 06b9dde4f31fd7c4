import type { ContainerLab } from './lab-network.ts';
import { labLabel, loadTestcontainers } from './runtime.ts';

/** What a command of an image prints. Rejects where it fails. */
export async function imageOutput(options: {
  readonly lab: ContainerLab;
  readonly image: string;
  readonly command: readonly string[];
}): Promise<string> {
  const { GenericContainer, Wait } = await loadTestcontainers();
  const [program = '', ...args] = options.command;
  const container = await new GenericContainer(options.image)
    .withLabels({ [labLabel]: options.lab.name })
    .withNetworkMode('none')
    .withEntrypoint([program])
    .withCommand(args)
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  let printed = '';
  for await (const data of await container.logs()) printed += String(data);
  await container.stop();
  return printed;
}
