/** The bench's tables. */
import { table } from '../../../compiler/cli/table.ts';
import type { Gain } from './gains.ts';
import type { Outcome } from './outcome.ts';
import { agreementOf, SAME } from './rows.ts';
import { PLATFORMS } from './tables.ts';

const percent = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(1)} %`;
const gain = ({ percent: value, proven }: Gain): string => `${percent(value)}${proven ? '' : ' (not proven)'}`;

export function gainTable(outcomes: readonly Outcome[]): string {
  const head = [
    'network',
    'layers',
    'published',
    'one cut',
    'after',
    'published after',
    'agrees',
    'any cut',
    '2 cuts',
    'any number',
    'stages',
    'any share',
  ];
  const lines = outcomes.map(({ published, convolutions, gains, theirCut, reached }) => [
    published.name,
    String(convolutions),
    percent(published.gain),
    gain(gains.one),
    gains.one.cuts.join(', '),
    theirCut ?? '–',
    agreement(published.gain, gains.one, theirCut, reached),
    gain(gains.branches),
    gain(gains.two),
    gain(gains.any),
    String(gains.any.cuts.length + 1),
    percent(gains.bound),
  ]);
  return `Throughput over that of the better platform alone (${PLATFORMS.join(', ')}, joined by Gigabit Ethernet)
${table(head, lines)}
one cut: of the layers in the logged order. any cut: branches side by side may end on either side of it. 2 cuts: three stages, two of
them on one platform. any number: every layer on either platform, no limit on how often the link is crossed; an exact optimum.
any share: a bound for splits inside layers: each shared in whatever proportion, over a link that costs nothing.
`;
}

function agreement(published: number, one: Gain, theirCut: string | undefined, reached: boolean): string {
  if (!reached) return 'no';
  if (one.percent.toFixed(1) !== published.toFixed(1)) return 'with branches in another order';
  return theirCut === undefined || one.cuts[0] === theirCut ? 'yes' : 'gain yes, cut no';
}

export function summaryTable(outcomes: readonly Outcome[]): string {
  const head = ['network', 'rows', 'figures agree', 'flags agree', 'link counts too much'];
  const lines = outcomes.flatMap(({ published, comparison }) => {
    if (!comparison) return [[published.name, 'none', '–', '–', '–']];
    const { rows, figures, flags, needless } = agreementOf(comparison);
    return [[published.name, ...[rows, figures, flags, needless].map(String)]];
  });
  return `Published cuts beside ours by their rules: latency, energy, throughput, link bytes and memory of both platforms
${table(head, lines)}
latency: both platforms and the link, nothing overlapped. throughput: 1 / the slowest of the three. link: 16 bits an element, 26 bytes a
frame of 1500, 5 m at 6 ns/m, 600 mW. memory: weights without biases and the most that exists at once, one byte an element on both
platforms, grouped convolutions as if dense. flag: not dominated in latency, energy, throughput and link bytes, of equal rows one.
link counts too much: the other operand of an Add or Mul is counted though it is made after the cut.
`;
}

export function frontTable(outcomes: readonly Outcome[]): string {
  const head = [
    'network',
    'theirs',
    'of',
    'one cut: front',
    'of',
    'equals brute force',
    '2 cuts: front',
    'of',
    'better than one cut',
  ];
  const lines = outcomes.map(({ published, comparison, fronts }) => [
    published.name,
    String(comparison?.front.found ?? '–'),
    String(comparison?.front.size ?? '–'),
    String(fronts.one),
    String(fronts.ofOne),
    fronts.equal ? 'yes' : 'no',
    String(fronts.two),
    String(fronts.ofTwo),
    String(fronts.beaten),
  ]);
  return `Pareto fronts
${table(head, lines)}
theirs: points of the exact front of latency, energy, throughput and link bytes, by their rules and with branches in any order, that
are marked in their list. one cut: latency, energy, throughput, link bytes and memory of each platform in its own bits (16, 8), the
link at 16; 2 cuts: without memory, three stages of which two are on one platform. better: points of the one-cut front without memory
that a point of the other dominates.
`;
}

export function rowTable({ published, comparison }: Outcome): string {
  if (!comparison) return `${published.name}: no list of cuts\n`;
  const head = ['layer', '', 'ms', 'mJ', '1/s', 'link', 'memory A', 'memory B', 'flag', 'agrees'];
  const lines = comparison.rows.flatMap(({ theirs, ours, difference, nonDominated }) => {
    const figures = [theirs, ours.figures].map(({ seconds, joules, throughput, linkBytes, memory }) => [
      (seconds * 1e3).toFixed(6),
      (joules * 1e3).toFixed(6),
      throughput.toFixed(4),
      ...[linkBytes, ...memory].map(String),
    ]);
    return [
      [theirs.layer, 'theirs', ...figures[0]!, theirs.nonDominated ? 'front' : '', difference <= SAME ? 'yes' : 'no'],
      [ours.after, 'ours', ...figures[1]!, nonDominated ? 'front' : '', ''],
    ];
  });
  return `${published.name}\n${table(head, lines)}\n`;
}
