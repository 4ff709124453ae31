/**
 * Chains: an operator and the elementwise operators that follow it, which onnxruntime often makes one kernel of (Conv,
 * BatchNormalization, Add, Relu; Sigmoid, Mul). They are measured together, so nothing here need know what it fuses.
 */
import type { Assemble, Compute, Program, Value } from '../../ir/program.ts';
import { reads, tensorOf, valueKey, writes } from '../../ir/program.ts';
import { equalRegions } from '../../ir/region.ts';
import { cutsOf } from '../cuts.ts';
import { type Family, familyOf, isElementwise } from './signature.ts';

/** Between the links of a key. */
export const LINK = ' | ';

/** Longer chains are not followed. */
const LONGEST = 6;

export interface Chain {
  /** The first leads: followers have its output's shape, and tiles its tile's. */
  readonly members: readonly Compute[];
  readonly family: Family;
  /** The leader's family, then what follows. */
  readonly links: readonly string[];
  readonly key: string;
}

/** Who makes and who reads each value of one session. */
export class Session {
  readonly makers = new Map<string, Compute | Assemble>();
  readonly readers = new Map<string, (Compute | Assemble)[]>();

  constructor(
    readonly operators: readonly (Compute | Assemble)[],
    /** Keys of the values that leave it. */
    readonly kept: ReadonlySet<string>,
  ) {
    for (const operator of operators) {
      for (const value of writes(operator)) this.makers.set(valueKey(value), operator);
      for (const key of new Set(reads(operator).map(valueKey))) {
        const known = this.readers.get(key);
        if (known) known.push(operator);
        else this.readers.set(key, [operator]);
      }
    }
  }
}

/** The operator of the model that a tile is of; undefined for what a user's pass added. */
export const modelOperator = (imported: Program<'imported'>, { origin }: Compute): Compute | undefined =>
  cutsOf(imported).operators.get(origin);

/** The one operator that reads all of `value`, or nothing but it and what it reads anyway; null: the chain ends. */
function follower(
  session: Session,
  imported: Program<'imported'>,
  members: readonly Compute[],
  value: Value,
): Compute | null {
  const key = valueKey(value);
  const [next, ...others] = session.readers.get(key) ?? [];
  if (session.kept.has(key) || others.length > 0 || next?.kind !== 'compute' || members.length >= LONGEST) return null;
  const operator = modelOperator(imported, next);
  const output = next.outputs[0];
  if (!operator || !output?.region || !value.region || value.partial || next.crop || next.captures.length > 0)
    return null;
  const index = next.inputs.findIndex((input) => input?.kind === 'value' && input.tensor === value.tensor);
  const sameRegion = equalRegions(output.region, value.region);
  return sameRegion && isElementwise(imported, familyOf(imported, operator), operator, index) ? next : null;
}

/** `Add(^, =)`: `^` is what the chain made so far, `=` what its leader reads too. */
function followerText(imported: Program<'imported'>, member: Compute, before: Compute, leader: Compute): string {
  const { key } = familyOf(imported, modelOperator(imported, member)!);
  const made = new Set(writes(before).map(({ tensor }) => tensor));
  const read = new Set(leader.inputs.flatMap((input) => (input?.kind === 'value' ? [valueKey(input)] : [])));
  const marks = member.inputs.map((input) => {
    if (input?.kind !== 'value') return '';
    return made.has(input.tensor) ? '^' : read.has(valueKey(input)) ? '=' : '';
  });
  const text = marks.map((mark) => mark || '.').join('');
  return `${key.split(' -> ')[0]!} ${text}`;
}

/** Of operators that follow each other. */
export function chainOf(imported: Program<'imported'>, members: readonly Compute[]): Chain {
  const leader = members[0]!;
  const family = familyOf(imported, modelOperator(imported, leader)!);
  const followers = members.slice(1).map((member, i) => followerText(imported, member, members[i]!, leader));
  const links = [family.key, ...followers];
  return { members, family, links, key: links.join(LINK) };
}

/** The chains of a session, in the order of their leaders; operators that a user's pass added belong to none. */
export function chainsOf(imported: Program<'imported'>, session: Session): Chain[] {
  const taken = new Set<Compute>();
  return session.operators.flatMap((operator): Chain[] => {
    if (operator.kind !== 'compute' || taken.has(operator) || !modelOperator(imported, operator)) return [];
    const members = [operator];
    for (let last = operator; last.outputs.length === 1 && last.outputs[0]; ) {
      const next = follower(session, imported, members, last.outputs[0]);
      if (!next || taken.has(next)) break;
      members.push(next);
      last = next;
    }
    for (const member of members) taken.add(member);
    return [chainOf(imported, members)];
  });
}

/** What a chain reads that is neither a weight nor made in it. */
export interface External {
  readonly value: Value;
  readonly byLeader: boolean;
  readonly byFollower: boolean;
}

/** Each value once. */
export function externals(program: Program, { members }: Chain): External[] {
  const made = new Set(members.flatMap(writes).map(valueKey));
  const found = new Map<string, External>();
  for (const [i, member] of members.entries()) {
    for (const value of reads(member)) {
      const key = valueKey(value);
      if (made.has(key) || tensorOf(program, value.tensor).role === 'weight') continue;
      const known = found.get(key);
      found.set(key, { value, byLeader: known?.byLeader || i === 0, byFollower: known?.byFollower || i > 0 });
    }
  }
  return [...found.values()];
}
