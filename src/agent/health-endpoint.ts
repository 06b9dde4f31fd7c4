import { createServer, type IncomingMessage } from 'node:http';
import type { AgentConfig } from '../config/options.ts';
import type { Logger } from '../lib/logger.ts';
import type { Service } from '../lib/service.ts';
import { forewarmVersion } from '../lib/version.ts';
import { nameSchema } from '../messages/names.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import type { ReadyAnswer } from './readiness.ts';
import type { ServerWatch } from './server-watch.ts';

/** An answer: a status and a text of that type. */
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const json = (status: number, body: object): Answer => {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
};

/**
 * `GET /health`: 200 while the agent works and its database answers, else 503. `GET /ready/<vm>`: 200 while
 * this replica is warm enough for the VM and its lag in bounds, else 503. Both with JSON that says why.
 * `GET /metrics`: what Prometheus scrapes.
 * A port that cannot be had costs the endpoint, not the agent.
 */
export function createHealthEndpoint(options: {
  readonly config: AgentConfig;
  readonly watch: ServerWatch;
  readonly migrationCount: () => number;
  readonly ready: (vm: string) => Promise<ReadyAnswer>;
  readonly logger: Logger;
  readonly metrics: Pick<AgentMetrics, 'instruments'>;
}): Service {
  const { config, watch, logger, metrics } = options;
  const { host, port } = config.http.listen;

  const health = (): Answer => {
    const healthy = watch.health !== null;
    const body = {
      replica: config.replica,
      version: forewarmVersion,
      database: healthy ? 'up' : 'down',
      lagMs: watch.health?.lagMs ?? null,
      migrations: options.migrationCount(),
    };
    return json(healthy ? 200 : 503, body);
  };

  const ready = async (name: string): Promise<Answer> => {
    const vm = decoded(name);
    const checked = nameSchema.safeParse(vm);
    if (!checked.success) {
      const message = `${JSON.stringify(vm.slice(0, 100))} is not a VM's name: it must be 1 to 64 of A-Z a-z 0-9 _ -`;
      return json(400, { error: { code: 'name_invalid', message } });
    }
    const body = await options.ready(checked.data);
    return json(body.ready ? 200 : 503, body);
  };

  const answer = async ({ method, url = '' }: IncomingMessage): Promise<Answer> => {
    const path = url.split(/[?#]/, 1)[0] ?? '';
    if (method !== 'GET' && method !== 'HEAD') {
      return json(405, { error: 'only GET and HEAD are here' });
    }
    if (path === '/health') return health();
    if (path.startsWith('/ready/')) return await ready(path.slice('/ready/'.length));
    if (path === '/metrics') return { status: 200, ...(await metrics.instruments.exposition()) };
    return json(404, { error: 'only GET /health, GET /ready/<vm> and GET /metrics are here' });
  };

  return {
    name: 'health endpoint',
    async run(signal) {
      const server = createServer((request, response) => {
        void answer(request)
          .catch((error: Error) => json(500, { error: error.message }))
          .then(({ status, type, text }) => {
            response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
            response.end(request.method === 'HEAD' ? undefined : text);
          });
      });
      await new Promise<void>((resolve) => {
        const stop = () => {
          server.closeAllConnections();
          server.close(() => resolve());
        };
        server.once('listening', () => signal.addEventListener('abort', stop, { once: true }));
        server.once('error', (error) => {
          logger.warn(
            { error: error.message },
            `nothing listens on ${host}:${port}; set http.listen to a free port`,
          );
          signal.addEventListener('abort', () => resolve(), { once: true });
          if (signal.aborted) resolve();
        });
        server.listen(port, host);
        if (signal.aborted) stop();
      });
    },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
