/** `shardonnx operators`: the split table, as text, JSON, or the Markdown that the manual page is made from. */
import type { Command } from 'commander';
import { compareWith } from '../operators/comparison.ts';
import { type Count, countOf, type Described, type DescribedLetter, describeOperators } from '../operators/describe.ts';
import type { LetterKind } from '../operators/rule.ts';
import { type OutputOptions, printResult } from './output.ts';
import { table } from './table.ts';

interface Options extends OutputOptions {
  readonly markdown?: boolean;
}

const title = ({ domain, type }: Described) => (domain ? `${domain}::${type}` : type);
const withStep = ({ letter, step }: DescribedLetter) => (step === undefined ? letter : `${letter}/${step}`);

/** Letters of a kind; where cuts lie at multiples, these after a slash. */
const ofKind = ({ letters }: Described, kind: LetterKind) =>
  letters
    .filter((letter) => letter.kind === kind)
    .map(withStep)
    .join(' ');

/** `hw: the reason`, letters with one reason together. */
function reasons({ whole, letters }: Described): string {
  if (whole !== undefined) return whole;
  const byReason = new Map<string, string>();
  for (const { letter, reason } of letters) if (reason) byReason.set(reason, (byReason.get(reason) ?? '') + letter);
  return [...byReason].map(([reason, names]) => `${names}: ${reason}`).join('; ');
}

const HEAD = ['operator', 'notation', 'free', 'window', 'reduce', 'whole because'];
const cells = (row: Described) => [
  title(row),
  row.notation ?? '',
  ofKind(row, 'free'),
  ofKind(row, 'window'),
  ofKind(row, 'reduce'),
  reasons(row),
];

const domainName = (domain: string) => domain || 'ai.onnx';
const byDomain = (rows: readonly Described[]) => [...new Set(rows.map(({ domain }) => domain))];

const COUNT_HEAD = ['', 'operators', 'splittable', 'free', 'window', 'reduce'];
function counts(rows: readonly Described[]): string[][] {
  const line = (name: string, count: Count) => [
    name,
    ...[count.operators, count.splittable, count.free, count.window, count.reduce].map(String),
  ];
  const domains = byDomain(rows).map((domain) =>
    line(domainName(domain), countOf(rows.filter((row) => row.domain === domain))),
  );
  return [...domains, line('all', countOf(rows))];
}

const COMPARISON_HEAD = [
  '',
  'operators named',
  'of them in ONNX',
  'splittable here',
  'splittable here, not named there',
];
const comparison = (rows: readonly Described[]) =>
  compareWith(rows).map(({ name, named, shared, splittable, beyond }) => [
    name,
    ...[named, shared, splittable, beyond].map(String),
  ]);

const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');

/** The manual page: the counts, then a table a domain. */
export function markdown(rows: readonly Described[]): string {
  const code = (text: string) => (text === '' ? '' : `\`${text}\``);
  const page = byDomain(rows).map((domain) => {
    const own = rows.filter((row) => row.domain === domain);
    const lines = own.map((row) => [row.type, code(row.notation ?? ''), ...cells(row).slice(2)]);
    return `## ${domainName(domain)}\n\n${markdownTable(HEAD, lines)}`;
  });
  return [
    '# Operators',
    'How each operator that onnxruntime 1.30 runs may be cut. *free*: anywhere; *window*: neighbouring tiles overlap; *reduce*: parts are',
    'summed; `h/4`: at multiples of 4. The letters are those of one example; other attributes may fix a letter, `shardonnx inspect` says which.',
    '',
    markdownTable(COUNT_HEAD, counts(rows)),
    '',
    markdownTable(COMPARISON_HEAD, comparison(rows)),
    '',
    page.join('\n\n'),
  ].join('\n');
}

function text(rows: readonly Described[]): string {
  return [
    table(HEAD, rows.map(cells)),
    '',
    table(COUNT_HEAD, counts(rows)),
    '',
    table(COMPARISON_HEAD, comparison(rows)),
  ].join('\n');
}

async function run(options: Options): Promise<void> {
  const rows = await describeOperators();
  const data = { ok: true, operators: rows, counts: countOf(rows), comparison: compareWith(rows) };
  printResult(options, data, options.markdown ? markdown(rows) : text(rows));
}

export const addOperators = (program: Command): void => {
  program
    .command('operators')
    .description('list every operator onnxruntime runs: how it may be cut, or why it runs whole')
    .option('--markdown', 'print the manual page')
    .option('--json', 'print one JSON object')
    .action(run);
};
