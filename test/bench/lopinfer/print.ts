/** The bench's tables. */
import { table } from '../../../compiler/cli/table.ts';
import type { Method } from './methods.ts';
import type { Replay, Row } from './replay.ts';
import { PUBLISHED, type Summary } from './summary.ts';

const digits = (value: number, places = 1) => (Number.isFinite(value) ? value.toFixed(places) : '–');
const percent = (share: number) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '–');

export function linkTable(replays: readonly Replay[]): string {
  const head = ['model', 'environment', 'method', 'rows', 'B, kB', 's, ms', 'worst, ms', 'payload, kB', 'payload / B'];
  const lines = replays.flatMap(({ flow, fits, payload }) =>
    fits.map(({ environment, method, rows, kilobytes, fixed, worst }) => [
      flow.model,
      environment,
      method,
      String(rows),
      digits(kilobytes),
      digits(fixed, 2),
      digits(worst, 3),
      digits(payload / 1000),
      digits(payload / 1000 / kilobytes, 4),
    ]),
  );
  return `How their predictions turn bandwidth into time, where everything crosses: s + B / bandwidth (MB = 10^6 bytes)
${table(head, lines)}
payload / B: the share of the nominal bandwidth that carries payload, the model's input and output. In the published runs it is
0.9 for offloading and layer cuts and 1 for LOPInfer; what remains is rounding to 0.1 ms. The cluster's link has full-offload's share.
`;
}

export function checkTable(replays: readonly Replay[]): string {
  const head = ['model', 'environment', 'costs', 'rows', 'mean', 'worst', 'at MB/s', 'crosses from', 'theirs from'];
  const lines = replays.flatMap(({ flow, checks }) =>
    checks.map(({ environment, costs, rows, mean, worst, worstAt, crossesAt }) => [
      flow.model,
      environment,
      costs,
      String(rows),
      percent(mean),
      percent(worst),
      String(worstAt),
      String(crossesAt.ours),
      String(crossesAt.theirs),
    ]),
  );
  return `Our model of their layer cut against DSCCS's predictions: error, and the lowest bandwidth at which anything crosses
${table(head, lines)}
A tensor is paid for once a reader, as their predictions do. Every run of theirs measured a profile of its own, so the log's is
that of another run; scaled to this run's totals (local, and offloading without the link), only the link and the choice are left.
`;
}

export function summaryTable(replay: Replay, summaries: readonly Summary[]): string {
  const { flow, zoo, program, power, goodput } = replay;
  const head = ['environment', 'method', 'ms', 'saved', 'mJ', 'energy saved', 'MB', 'bound, ms'];
  const lines = summaries.map(({ environment, method, ms, saved, mJ, savedEnergy, MB, bound }) => [
    environment,
    method,
    digits(ms, 2),
    percent(saved),
    digits(mJ, 0),
    percent(savedEnergy),
    digits(MB, 3),
    digits(bound, 2),
  ]);
  return `${flow.model}: ${program.operators.length} operators, geometry of ${zoo}; goodput ${goodput.toFixed(4)} of the bandwidth;
robot ${digits(power.computing)} W computing, ${digits(power.waiting)} W waiting. Means over time; saved against the best layer cut
${table(head, lines)}
`;
}

/** Milliseconds at each bandwidth, and the authors' own predictions where they differ by environment. */
export function rowTable(replay: Replay, rows: readonly Row[], methods: readonly Method[]): string {
  const theirs = replay.predicted.filter(({ method }) => PUBLISHED.includes(method));
  const columns = [...new Set(theirs.map(({ method, environment }) => `${method} ${environment}`))];
  const head = ['MB/s', ...methods.map(({ name }) => name), ...columns];
  const lines = rows.map(({ bandwidth, outcomes }) => [
    String(bandwidth),
    ...methods.map(({ name }) => digits((outcomes.get(name)?.seconds ?? Number.NaN) * 1000, 2)),
    ...columns.map((column) => {
      const row = replay.predicted.find(
        (one) => one.bandwidth === bandwidth && `${one.method} ${one.environment}` === column,
      );
      return digits(row?.ms ?? Number.NaN);
    }),
  ]);
  return `${replay.flow.model}: milliseconds; columns on the right: predicted by the authors\n${table(head, lines)}\n`;
}
