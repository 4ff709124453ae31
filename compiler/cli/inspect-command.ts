/** `shardonnx inspect`: operators, shapes, how each may be cut, and where the model can be cut between layers. */
import type { Command } from 'commander';
import { formatBytes } from '../cluster/units.ts';
import { type Compute, isKnown, type Program, reads, tensorOf, wholeValue } from '../ir/program.ts';
import { formatName } from '../ir/text.ts';
import { importModel } from '../onnx/import.ts';
import { type Cut, isWhole, type Whole } from '../operators/rule.ts';
import { valueBytes } from '../planning/costs/roofline.ts';
import { cutsOf, sourcesOf } from '../planning/cuts.ts';
import { dimensions, dimOption } from './flags.ts';
import { notice, type OutputOptions, printResult } from './output.ts';
import { table } from './table.ts';

interface Options extends OutputOptions {
  readonly dim: readonly string[];
}

interface Row {
  readonly name: string;
  readonly type: string;
  readonly output: string;
  /** Notation, or undefined for a whole operator. */
  readonly notation?: string;
  /** Letters along which the operator is local: free and window. */
  readonly local: readonly string[];
  readonly reduce: readonly string[];
  /** Why it runs whole. */
  readonly whole?: string;
  /** Only weights decide it. */
  readonly constant: boolean;
  /** Each device computes what it reads of it: it needs no place in a plan. */
  readonly onDemand: boolean;
  /** Bytes that cross when the model is cut before it. */
  readonly cutBytes: number;
}

/** Without the letter of dimensions of size 1. */
const letters = (cut: Cut | Whole, kinds: readonly string[]): string[] =>
  isWhole(cut)
    ? []
    : Object.entries(cut.letters).flatMap(([letter, { kind }]) =>
        letter !== '1' && kinds.includes(kind) ? [letter] : [],
      );

/** Bytes that cross before each operator: everything made before it and read by it or later. */
function crossings(program: Program<'imported'>, operators: readonly Compute[]): number[] {
  const last = new Map<string, number>(program.outputs.map((name) => [name, operators.length]));
  for (const [i, operator] of operators.entries()) {
    for (const { tensor } of sourcesOf(program, reads(operator))) last.set(tensor, Math.max(i, last.get(tensor) ?? 0));
  }
  const bytes = (name: string) => valueBytes(program, wholeValue(tensorOf(program, name)));
  const alive = new Map(program.inputs.map((name) => [name, bytes(name)]));
  return operators.map((operator, i) => {
    for (const name of alive.keys()) if ((last.get(name) ?? -1) < i) alive.delete(name);
    const crossing = [...alive.values()].reduce((sum, size) => sum + size, 0);
    for (const output of operator.outputs) if (output) alive.set(output.tensor, bytes(output.tensor));
    return crossing;
  });
}

const typeText = (program: Program, name: string): string => {
  const { dtype, shape } = tensorOf(program, name);
  return `${dtype ?? 'opaque'}[${shape.map((size) => size ?? '?').join(',')}]`;
};

export function inspect(program: Program<'imported'>): Row[] {
  const { operators, cuts, constants, onDemand } = cutsOf(program);
  const planned = [...operators.values()].filter(({ origin }) => !onDemand.has(origin));
  const crossing = new Map(crossings(program, planned).map((bytes, i) => [planned[i]!.origin, bytes]));
  return [...operators.values()].map((operator): Row => {
    const cut = cuts.get(operator.origin)!;
    const output = operator.outputs.find((value) => value !== null);
    return {
      name: operator.origin,
      type: operator.domain ? `${operator.domain}::${operator.type}` : operator.type,
      output: output ? typeText(program, output.tensor) : '',
      ...(isWhole(cut) ? { whole: cut.whole } : { notation: cut.notation }),
      local: letters(cut, ['free', 'window']),
      reduce: letters(cut, ['reduce']),
      constant: constants.has(operator.origin),
      onDemand: onDemand.has(operator.origin),
      cutBytes: crossing.get(operator.origin) ?? 0,
    };
  });
}

async function run(model: string, options: Options): Promise<void> {
  const program = await importModel(model, { dims: dimensions(options.dim), notice });
  const rows = inspect(program);
  const tensors = (names: readonly string[]) => names.map((name) => `${formatName(name)}: ${typeText(program, name)}`);
  const weights = [...program.tensors.values()].filter(({ role, shape }) => role === 'weight' && isKnown(shape));
  const weightBytes = weights.reduce((sum, tensor) => sum + valueBytes(program, wholeValue(tensor)), 0);
  const cuttable = rows.filter(({ local, reduce }) => local.length + reduce.length > 0).length;
  const text = [
    `inputs   ${tensors(program.inputs).join(', ')}`,
    `outputs  ${tensors(program.outputs).join(', ')}`,
    `opset    ${Object.entries(program.opsets)
      .map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`)
      .join(', ')}`,
    `weights  ${weights.length}, ${formatBytes(weightBytes)}`,
    `${rows.length} operators, ${cuttable} can be split`,
    '',
    table(
      ['operator', 'type', 'output', 'local', 'reduce', 'notation or why whole', 'cut before'],
      rows.map((row) => [
        row.name,
        row.type,
        row.output,
        row.local.join(''),
        row.reduce.join(''),
        row.whole ?? row.notation ?? '',
        row.constant ? 'constant' : row.onDemand ? 'on demand' : formatBytes(row.cutBytes),
      ]),
    ),
  ].join('\n');
  const { name, opsets, inputs, outputs } = program;
  const described = (names: readonly string[]) =>
    names.map((tensor) => ({
      name: tensor,
      dtype: tensorOf(program, tensor).dtype,
      shape: tensorOf(program, tensor).shape,
    }));
  const data = {
    ok: true,
    model: name,
    opsets,
    inputs: described(inputs),
    outputs: described(outputs),
    weightBytes,
    operators: rows,
  };
  printResult(options, data, text);
}

export const addInspect = (program: Command): void => {
  program
    .command('inspect')
    .description('list operators, shapes, local axes and cut points of a model')
    .argument('<model>', 'ONNX file')
    .addOption(dimOption())
    .option('--json', 'print one JSON object')
    .action(run);
};
