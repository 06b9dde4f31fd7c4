import { createServer } from 'node:http';
import type { AgentConfig } from '../config/options.ts';
import type { Logger } from '../lib/logger.ts';
import type { Service } from '../lib/service.ts';
import { forewarmVersion } from '../lib/version.ts';
import type { ServerWatch } from './server-watch.ts';

/**
 * `GET /health`: 200 while the agent works and its database answers, else 503, with JSON that says why.
 * A port that cannot be had costs the endpoint, not the agent.
 */
export function createHealthEndpoint(options: {
  readonly config: AgentConfig;
  readonly watch: ServerWatch;
  readonly migrationCount: () => number;
  readonly logger: Logger;
}): Service {
  const { config, watch, logger } = options;
  const { host, port } = config.http.listen;
  return {
    name: 'health endpoint',
    async run(signal) {
      const server = createServer((request, response) => {
        const path = new URL(request.url ?? '/', 'http://agent').pathname;
        const known = request.method === 'GET' && path === '/health';
        const healthy = watch.health !== null;
        response.writeHead(known ? (healthy ? 200 : 503) : 404, { 'content-type': 'application/json' });
        const health = {
          replica: config.replica,
          version: forewarmVersion,
          database: healthy ? 'up' : 'down',
          lagMs: watch.health?.lagMs ?? null,
          migrations: options.migrationCount(),
        };
        response.end(`${JSON.stringify(known ? health : { error: 'only GET /health is here' })}\n`);
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
