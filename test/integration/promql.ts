import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';

export const alertsFile = new URL('../../docker/prometheus/alerts.yaml', import.meta.url);
const dashboardFile = new URL('../../docker/grafana/dashboard.json', import.meta.url);

/** An expression with the place where it stands. */
export interface Expression {
  readonly where: string;
  readonly text: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** What the alert rules and the dashboard ask, Grafana's own variables filled in. */
export function watchedExpressions(): readonly Expression[] {
  const rules = parse(readFileSync(alertsFile, 'utf8')) as {
    groups: readonly { rules: readonly { alert: string; expr: string }[] }[];
  };
  const dashboard = JSON.parse(readFileSync(dashboardFile, 'utf8')) as {
    panels: readonly Panel[];
    templating: { list: readonly { name: string; query: string | { query: string } }[] };
  };
  const filled = (text: string) =>
    text.replaceAll(/\$__rate_interval|\$__range/g, '5m').replaceAll(/\$\w+/g, '.*');
  return [
    ...rules.groups.flatMap((group) => group.rules).map(({ alert, expr }) => ({ where: alert, text: expr })),
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: title, text: filled(expr) })),
    ),
    ...dashboard.templating.list.flatMap(({ name, query }) => {
      const [, text] =
        /^label_values\((.*), \w+\)$/.exec(typeof query === 'string' ? query : query.query) ?? [];
      return text === undefined ? [] : [{ where: `variable ${name}`, text: filled(text) }];
    }),
  ];
}

/** Names of metrics and of labels in an expression; throws where it is no PromQL. */
export function namesIn({ where, text }: Expression): {
  readonly metrics: string[];
  readonly labels: string[];
} {
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, name, from, to, node }) => {
      if (type.isError) throw new Error(`${where}: no PromQL at ${from}: ${text}`);
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(text.slice(from, to));
      if (name === 'LabelName') labels.push(text.slice(from, to));
    },
  });
  return { metrics, labels };
}

/** What an exposition declares: the names of its series (a histogram has three), and of their labels. */
export function namesExposed(exposition: string): {
  readonly metrics: Set<string>;
  readonly labels: Set<string>;
} {
  const metrics = new Set<string>();
  for (const [, name = '', type] of exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const ending of endings) metrics.add(name + ending);
  }
  const labels = new Set(Array.from(exposition.matchAll(/[{,](\w+)="/g), (match) => match[1]!));
  return { metrics, labels };
}

/** The value of the one series of that name with these labels, or undefined. */
export function seriesValue(
  exposition: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  for (const line of exposition.split('\n')) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`))) {
      return Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return undefined;
}
