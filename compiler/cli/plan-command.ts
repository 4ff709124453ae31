/** `shardonnx plan`: every policy's plan side by side, and the chosen one. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type Cluster, loadCluster } from '../cluster/cluster.ts';
import { formatBytes } from '../cluster/units.ts';
import { withProfiles } from '../cluster/with-profiles.ts';
import { importModel } from '../onnx/import.ts';
import { costNotices } from '../planning/costs/notices.ts';
import { formatPlan } from '../planning/plan.ts';
import { lowerBound } from '../planning/policies/hybrid.ts';
import { policies, policyUsage } from '../planning/policies/index.ts';
import { type Summary, summarise } from '../planning/summary.ts';
import { AUTO, best, comparable, type Judged, judge, preparePolicies } from '../policies.ts';
import { dimensions, dimOption } from './flags.ts';
import { notice, type OutputOptions, printResult, progress } from './output.ts';
import { table } from './table.ts';

interface Options extends OutputOptions {
  readonly cluster: string;
  readonly policy: string;
  readonly dim: readonly string[];
  readonly output?: string;
}

const milliseconds = (seconds: number): string => `${(seconds * 1e3).toFixed(seconds < 0.1 ? 2 : 1)} ms`;

/** Figures of one policy, for `--json`. */
function asData(cluster: Cluster, judged: Judged, bound: number): object {
  if ('error' in judged) {
    const { code, message } = judged.error;
    return { name: judged.policy, error: { code, message } };
  }
  const { seconds, throughput, joules, bytes, peakBytes, hidden, busiest } = summarise(cluster, judged.schedule);
  return {
    name: judged.policy,
    latencyMs: seconds * 1e3,
    throughput,
    energyJ: joules,
    bytes,
    peakBytes,
    hidden,
    busiest,
    lowerBoundMs: bound * 1e3,
  };
}

function row(cluster: Cluster, judged: Judged, chosen: string): string[] {
  const name = `${judged.policy === chosen ? '*' : ' '} ${judged.policy}`;
  if ('error' in judged) return [name, '-', '-', '-', '-', '-', judged.error.message];
  const { seconds, throughput, joules, bytes, peakBytes, busiest } = summarise(cluster, judged.schedule);
  return [
    name,
    milliseconds(seconds),
    `${throughput.toFixed(1)} 1/s`,
    joules === null ? '?' : `${joules.toPrecision(3)} J`,
    formatBytes(bytes),
    formatBytes(peakBytes),
    `${busiest.name} ${(busiest.share * 100).toFixed(0)} %`,
  ];
}

/** Why the chosen plan is not faster. */
function explanation({ seconds, busiest, hidden }: Summary, bound: number): string[] {
  const isLink = busiest.name.startsWith('link ');
  return [
    `what binds it: ${busiest.name}, busy ${(busiest.share * 100).toFixed(0)} % of the time${isLink ? '' : ' (computing)'}; ` +
      `${(hidden * 100).toFixed(0)} % of the transfers' time is hidden by computation`,
    `no layout of these operators can be below ${milliseconds(bound)} (${(seconds / bound).toFixed(2)} ×): a relaxation without order, latency and borders`,
  ];
}

async function run(model: string, options: Options): Promise<void> {
  const bar = progress();
  try {
    const cluster = await withProfiles(await loadCluster(options.cluster));
    const names = options.policy === AUTO ? comparable : options.policy.split(';');
    await preparePolicies([...names, 'cut']);
    bar.update(`importing ${model}`, 0, names.length + 1);
    const program = await importModel(model, { dims: dimensions(options.dim), notice });
    for (const text of costNotices(program, cluster)) notice(text);
    const judged = names.flatMap((name, i) => {
      bar.update(`planning: ${name}`, i + 1, names.length + 1);
      return judge(program, cluster, [name]);
    });
    const chosen = best(judged);
    const bound = lowerBound(program, cluster);
    bar.stop();
    if (options.output) await writeFile(options.output, formatPlan(chosen.plan));
    const head = ['policy', 'latency', 'throughput', 'energy', 'crosses links', 'peak memory', 'busiest'];
    const text = [
      table(
        head,
        judged.map((one) => row(cluster, one, chosen.policy)),
      ),
      `chosen: ${chosen.policy}; ${explanation(summarise(cluster, chosen.schedule), bound).join('\n')}`,
      ...(options.output
        ? [
            `wrote ${options.output}; try: shardonnx compile ${model} -c ${options.cluster} --plan ${options.output} -o build`,
          ]
        : []),
    ].join('\n');
    const data = { ok: true, policies: judged.map((one) => asData(cluster, one, bound)), chosen: chosen.policy };
    printResult(options, data, text);
  } finally {
    bar.stop();
  }
}

export const addPlan = (program: Command): void => {
  const usage = policies.map(policyUsage).join(', ');
  program
    .command('plan')
    .description('predict what every policy comes to, and choose one')
    .argument('<model>', 'ONNX file')
    .requiredOption('-c, --cluster <file>', 'cluster file (YAML or JSON)')
    .option('--policy <policy>', `one of ${usage}; several with ; between them`, AUTO)
    .option('-o, --output <file>', 'write the chosen plan there')
    .addOption(dimOption())
    .option('--json', 'print one JSON object')
    .action(run);
};
