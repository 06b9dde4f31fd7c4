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
  let printed = '';
  const container = await new GenericContainer(options.image)
    .withLabels({ [labLabel]: options.lab.name })
    .withNetworkMode('none')
    .withEntrypoint([program])
    .withCommand(args)
    .withLogConsumer((stream) =>
      stream.on('data', (data) => {
        printed += String(data);
      }),
    )
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  const logs = await container.logs();
  for await (const _ of logs);
  await container.stop();
  return printed;
}
