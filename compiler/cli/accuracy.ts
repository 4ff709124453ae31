/** `--max-relative-error`: how commands take an accuracy budget, and how they tell what became of it. */
import { type Command, Option } from 'commander';
import type { Accuracy, Encoded } from '../encode.ts';
import { CompileError } from '../error.ts';
import { type EncodingName, encodingName, encodingNames } from '../planning/encodings.ts';
import type { Plan } from '../planning/plan.ts';
import { inputOption, share } from './flags.ts';
import { readInputs } from './inputs.ts';

export interface AccuracyFlags {
  readonly maxRelativeError?: number;
  readonly input: readonly string[];
}

const FLAG = '--max-relative-error';

export const withAccuracy = (command: Command): Command =>
  command
    .addOption(
      new Option(
        `${FLAG} <share>`,
        'let what crosses be float16 or 8 bits where that is faster, as long as no output is further off than this share of its largest magnitude (default: 0)',
      ).argParser(share(FLAG)),
    )
    .addOption(inputOption().default([], `random; what ${FLAG} is measured on`));

/** @throws flag: inputs without the share */
export function accuracyOf(
  { maxRelativeError, input }: AccuracyFlags,
  progress: Accuracy['progress'],
): Accuracy | undefined {
  if (maxRelativeError !== undefined)
    return { maxRelativeError, inputs: (specs) => readInputs(specs, input), progress };
  if (input.length === 0) return undefined;
  const hint = `give ${FLAG} too: errors are measured on the inputs`;
  throw new CompileError('flag', `--input ${input[0]} without ${FLAG}`, { hint });
}

/** The tensors that have an encoding. */
const having = ({ encodings = {} }: Plan, name: EncodingName): string[] =>
  Object.entries(encodings).flatMap(([tensor, encoding]) => (encodingName(encoding) === name ? [tensor] : []));

/** More than these are counted. */
const MOST_NAMES = 8;
const listed = (names: readonly string[]): string => {
  const rest = names.length - MOST_NAMES;
  return `${names.slice(0, MOST_NAMES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
};

const LABELS: Readonly<Record<EncodingName, string>> = {
  float16: 'float16',
  int8: 'int8',
  int8PerChannel: 'int8 per channel',
};

/** A line for the error, one for each way to cross. */
export function formatEncoded({ plan, relativeError, overBudget, needless }: Encoded, { maxRelativeError }: Accuracy) {
  if (relativeError === null) return ['nothing crosses that could be encoded: results are exact'];
  const lists = [
    ...encodingNames.map((name) => [LABELS[name], having(plan, name)] as const),
    ['exact, or the budget would not hold', overBudget] as const,
    ['exact, as encoding gains nothing', needless] as const,
  ];
  return [
    `measured error ${relativeError.toExponential(1)} of an output's largest magnitude, ${maxRelativeError} allowed`,
    ...lists.flatMap(([what, names]) => (names.length > 0 ? [`  ${what}: ${listed(names)}`] : [])),
  ];
}

/** For `--json`. */
export const encodedData = (
  { plan, relativeError, overBudget, needless }: Encoded,
  { maxRelativeError }: Accuracy,
) => ({
  maxRelativeError,
  relativeError: relativeError === null ? null : Math.min(relativeError, Number.MAX_VALUE),
  ...Object.fromEntries(encodingNames.map((name) => [name, having(plan, name)])),
  exact: { overBudget, needless },
});
