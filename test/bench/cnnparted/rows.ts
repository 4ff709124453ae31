/** Each published cut beside what their rules give on the logged layers and our shapes. */
import { nonDominated } from '../../../compiler/planning/pareto/front.ts';
import type { Figures, PublishedCut, PublishedRules } from './published-rules.ts';
import type { LoggedCut } from './tables.ts';

export interface Row {
  readonly theirs: LoggedCut;
  /** The cut after a layer of this type whose figures are nearest. */
  readonly ours: PublishedCut;
  /** Largest relative difference of a figure. */
  readonly difference: number;
  /** Whether nothing in their list dominates it, as far as equal rows are one. */
  readonly nonDominated: boolean;
}

/** Figures are printed with 16 digits, sums in another order. */
export const SAME = 1e-9;

const figuresOf = ({ seconds, joules, throughput, linkBytes, memory }: Figures): number[] => [
  seconds,
  joules,
  throughput,
  linkBytes,
  ...memory,
];
/** What their flags are about; all to be small. Rounded: the same layers may have been added up in another order. */
const objectives = ({ seconds, joules, throughput, linkBytes }: Figures): number[] =>
  [seconds, joules, -throughput, linkBytes].map((value) => Number(value.toPrecision(12)));
const key = (figures: Figures) => objectives(figures).join(' ');

function difference(a: Figures, b: Figures): number {
  const [left, right] = [figuresOf(a), figuresOf(b)];
  return Math.max(
    ...left.map((value, i) => Math.abs(value - right[i]!) / (Math.max(Math.abs(value), Math.abs(right[i]!)) || 1)),
  );
}

export interface Comparison {
  readonly rows: readonly Row[];
  /** Points of the front of every cut, by their rules, that their list has, and all of them. */
  readonly front: { readonly found: number; readonly size: number };
}

export function compareRows(rules: PublishedRules, listed: readonly LoggedCut[]): Comparison {
  const byType = new Map(rules.types.map((type) => [type, [...rules.cutsAfter(type)]]));
  const front = new Set(nonDominated(listed, objectives).map(key));
  const rows = listed.map((theirs): Row => {
    const candidates = byType.get(theirs.layer.split('/').at(-1)!) ?? [];
    const differences = candidates.map(({ figures }) => difference(figures, theirs));
    const nearest = differences.indexOf(Math.min(...differences));
    const ours = candidates[nearest];
    if (!ours) throw new Error(`no layer of ours is like ${theirs.layer}`);
    return { theirs, ours, difference: differences[nearest]!, nonDominated: front.has(key(theirs)) };
  });
  const every = [...byType.values()].flat().map(({ figures }) => figures);
  const exact = new Set(nonDominated(every, objectives).map(key));
  const marked = listed.filter((one) => one.nonDominated).map(key);
  return { rows, front: { found: [...exact].filter((point) => marked.includes(point)).length, size: exact.size } };
}

export interface Agreement {
  readonly rows: number;
  /** Rows all of whose figures are the same. */
  readonly figures: number;
  /** Rows whose mark is what the others' figures say; of equal ones they mark one. */
  readonly flags: number;
  /** Rows in which more is counted on the link than has to cross. */
  readonly needless: number;
}

export function agreementOf({ rows }: Comparison): Agreement {
  const marked = new Set(rows.filter(({ theirs }) => theirs.nonDominated).map(({ theirs }) => key(theirs)));
  return {
    rows: rows.length,
    figures: rows.filter((row) => row.difference <= SAME).length,
    flags: rows.filter(({ theirs, nonDominated: ours }) => marked.has(key(theirs)) === ours).length,
    needless: rows.filter(({ ours }) => ours.figures.linkBytes > ours.neededBytes).length,
  };
}
