import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

/** Grafana itself is not run in tests: Debian has none. What it would be given fits together. */

const docker = new URL('../../../docker/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, docker), 'utf8');
const yaml = <T>(path: string) => parse(read(path), { merge: true }) as T;

const { services } = yaml<{
  services: Record<string, { volumes: string[]; depends_on: object }>;
}>('compose.yaml');
const mounts = new Map(
  (services['grafana']?.volumes ?? []).map((volume): [string, string] => {
    const [from = '', to = ''] = volume.split(':');
    return [to, from];
  }),
);
const { datasources } = yaml<{ datasources: { uid: string; type: string; url: string }[] }>(
  'grafana/provisioning/datasources/prometheus.yaml',
);
const { providers } = yaml<{ providers: { type: string; options: { path: string } }[] }>(
  'grafana/provisioning/dashboards/forewarm.yaml',
);
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly datasource: { readonly uid: string } }[];
}
const dashboard = JSON.parse(read('grafana/dashboard.json')) as {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { name: string; type: string; query: unknown; current?: { value?: unknown } }[];
  };
};

describe('Grafana in compose.yaml', () => {
  it('finds what it is provisioned with where the files say', () => {
    expect(mounts.get('/etc/grafana/provisioning')).toBe('./grafana/provisioning');
    for (const from of mounts.values()) {
      if (from.startsWith('./')) expect(existsSync(new URL(from, docker)), from).toBe(true);
    }
    expect(providers.map(({ type }) => type)).toEqual(['file']);
    const folders = [...mounts.keys()].map((to) => dirname(to));
    expect(folders).toContain(providers[0]?.options.path);
  });

  it('asks the Prometheus of the same composition', () => {
    expect(datasources).toHaveLength(1);
    const { hostname, port } = new URL(datasources[0]!.url);
    expect(services[hostname]).toBeDefined();
    expect(Object.keys(services['grafana']!.depends_on)).toContain(hostname);
    expect(port).toBe('9090');
  });

  it('has a dashboard whose panels ask the data source that is provisioned, or another of its kind', () => {
    const variable = dashboard.templating.list.find(({ name }) => name === 'datasource');
    expect(variable).toMatchObject({
      ...{ type: 'datasource', query: datasources[0]!.type, current: { value: datasources[0]!.uid } },
    });
    const asking = dashboard.panels.filter(({ type }) => type !== 'row');
    expect(asking.length).toBeGreaterThan(20);
    for (const { title, datasource, targets = [] } of asking) {
      expect(datasource, title).toEqual({ type: 'prometheus', uid: '$'.concat('{datasource}') });
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      for (const target of targets) expect(target.datasource.uid, title).toBe(datasource!.uid);
    }
  });

  it('shows no panel twice and none over another', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [i, { title, gridPos: one }] of panels.entries()) {
      expect(one.x + one.w, title).toBeLessThanOrEqual(24);
      for (const { title: other, gridPos: two } of panels.slice(i + 1)) {
        const apart =
          one.x + one.w <= two.x ||
          two.x + two.w <= one.x ||
          one.y + one.h <= two.y ||
          two.y + two.h <= one.y;
        expect(apart, `${title} and ${other}`).toBe(true);
      }
    }
  });
});
