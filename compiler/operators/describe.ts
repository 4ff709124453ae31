/** The split table as documentation: for every operator onnxruntime runs, how it may be cut or why it runs whole. */
import type { Case } from './examples/example.ts';
import { examples } from './examples/index.ts';
import { forget, runWhole } from './examples/one-node.ts';
import { cutOf } from './index.ts';
import { knownOperators } from './known.ts';
import { isWhole, type Letter, type LetterKind, type Node } from './rule.ts';

export interface DescribedLetter {
  readonly letter: string;
  readonly kind: LetterKind;
  /** Cuts lie at multiples of this; left out where it is 1. */
  readonly step?: number;
  readonly reason?: string;
}

export interface Described {
  /** '' is ONNX's own. */
  readonly domain: string;
  readonly type: string;
  /** Of the example; other attributes and shapes may give other letters. */
  readonly notation?: string;
  readonly letters: readonly DescribedLetter[];
  /** Why the whole operator runs on one device. */
  readonly whole?: string;
}

const described = ([letter, { kind, step = 1, reason }]: [string, Letter]): DescribedLetter => ({
  letter,
  kind,
  ...(step > 1 && kind !== 'whole' ? { step } : {}),
  ...(reason === undefined ? {} : { reason }),
});

/** Operators that no model of one node holds (sequences, subgraphs, strings): the table answers without looking. */
const bare = (type: string): Node => ({ name: type, type, opset: 1, attributes: {}, inputs: [], outputs: [] });

async function describeOne(domain: string, type: string, example: Case | undefined): Promise<Described> {
  const cut = cutOf(example ? (await runWhole(example)).node : bare(type), domain);
  if (isWhole(cut)) return { domain, type, letters: [], whole: cut.whole };
  // A dimension of size 1 is never cut: it only fills the notation.
  const letters = Object.entries(cut.letters).filter(([letter]) => letter !== '1');
  return { domain, type, notation: cut.notation, letters: letters.map(described) };
}

/** All operators, domain by domain, in alphabetical order; runs the examples on onnxruntime for their shapes. */
export async function describeOperators(): Promise<Described[]> {
  const rows: Described[] = [];
  for (const [domain, types] of Object.entries(knownOperators)) {
    for (const type of types) {
      const example = examples.find((one) => one.type === type && (one.domain ?? '') === domain);
      rows.push(await describeOne(domain, type, example));
    }
  }
  await forget();
  return rows;
}

/** Whether it can be cut along at least one letter. */
export const isSplittable = ({ letters }: Described): boolean => letters.some(({ kind }) => kind !== 'whole');

export interface Count {
  readonly operators: number;
  readonly splittable: number;
  /** Splittable operators that have a letter of this kind. */
  readonly free: number;
  readonly window: number;
  readonly reduce: number;
}

export function countOf(rows: readonly Described[]): Count {
  const having = (kind: LetterKind) =>
    rows.filter(({ letters }) => letters.some((letter) => letter.kind === kind)).length;
  return {
    operators: rows.length,
    splittable: rows.filter(isSplittable).length,
    free: having('free'),
    window: having('window'),
    reduce: having('reduce'),
  };
}
