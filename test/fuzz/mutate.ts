/** Damages models, the same way for the same seed: bits and bytes anywhere, fields of the graph by what they are. */
import { generator } from '../../compiler/operators/examples/dense.ts';
import { knownOperators } from '../../compiler/operators/known.ts';
import { encode, encodeNumbers, isList, type Message, numbersOf, parse, type Site, sitesOf } from './tree.ts';

export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  /** A whole number from 0 on, below `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Each changes something; some at some places nothing. */
const ofBytes = {
  flip: (bytes, random) => spliced(bytes, random, 1, (old) => [(old[0] ?? 0) ^ (1 << random.below(8))]),
  set: (bytes, random) => spliced(bytes, random, 1, () => [random.below(256)]),
  drop: (bytes, random) => spliced(bytes, random, 1 + random.below(4), () => []),
  insert: (bytes, random) => spliced(bytes, random, 0, () => [random.below(256)]),
  repeat: (bytes, random) => spliced(bytes, random, random.below(40), (old) => [...old, ...old]),
  truncate: (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
} satisfies Readonly<Record<string, (bytes: Uint8Array, random: Random) => Uint8Array>>;

/** `bytes` with `count` of them, at some place, replaced. */
function spliced(
  bytes: Uint8Array,
  random: Random,
  count: number,
  instead: (old: Uint8Array) => readonly number[],
): Uint8Array {
  const at = random.below(bytes.length);
  const old = bytes.subarray(at, at + count);
  return Buffer.concat([bytes.subarray(0, at), Uint8Array.from(instead(old)), bytes.subarray(at + count)]);
}

/** Numbers at which programs go wrong. */
const numbers = [
  0n,
  1n,
  2n,
  3n,
  -1n,
  -2n,
  7n,
  64n,
  100n,
  255n,
  1000n,
  65536n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
].concat([2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 31n), -(2n ** 63n)]);
const texts = [
  '',
  'x',
  'y',
  'ö',
  '__proto__',
  'constructor',
  'a\0b',
  'a/b',
  '../../../../escape',
  '/escape',
  'C:\\escape',
].concat([
  'two\nlines',
  '`$',
  '"',
  "'",
  '*/',
  '%s',
  'ai.onnx',
  'com.microsoft',
  'ai.onnx.ml',
  'our.own',
  'N',
  'x'.repeat(5000),
]);
const types = Object.values(knownOperators).flat();

const otherNumber = (old: bigint, random: Random): bigint =>
  random.pick([random.pick(numbers), old + 1n, old - 1n, old * 2n, -old, BigInt(random.below(1000))]);

function otherNumbers(old: bigint[], random: Random): bigint[] {
  const at = random.below(old.length + 1);
  switch (random.below(4)) {
    case 0:
      return old.toSpliced(at, 1);
    case 1:
      return old.toSpliced(at, 0, random.pick(numbers));
    default:
      return old.map((number, i) => (i === at % old.length ? otherNumber(number, random) : number));
  }
}

/** What else a leaf may hold. */
function otherContent(
  { message, field: { number, wire }, ...site }: Site,
  old: Uint8Array,
  random: Random,
): Uint8Array {
  if (isList({ message, field: { number, wire, content: old }, ...site }))
    return encodeNumbers(otherNumbers(numbersOf(old), random));
  if (wire === 0) return encodeNumbers([otherNumber(numbersOf(old)[0] ?? 0n, random)]);
  if (wire !== 2) return Uint8Array.from(old, () => random.pick([0, 127, 128, 255, random.below(256)]));
  const isData = old.length > 100 || (message.kind === 'tensor' && number === 9);
  if (isData) return random.pick(Object.values(ofBytes))(old, random);
  if (message.kind === 'node' && number === 4 && random.below(4) > 0) return Buffer.from(random.pick(types));
  return Buffer.from(random.pick(texts));
}

type Edit = (site: Site, sites: readonly Site[], random: Random) => void;

const ofFields: Readonly<Record<string, Edit>> = {
  remove: ({ message, index }) => message.fields.splice(index, 1),
  duplicate: ({ message, field }, _, random) =>
    message.fields.splice(random.below(message.fields.length + 1), 0, { ...field }),
  swap: ({ message, index, field }, _, random) => {
    const other = random.below(message.fields.length);
    message.fields[index] = message.fields[other]!;
    message.fields[other] = field;
  },
  /** What another field of the same meaning has: a name, an operator's type, dimensions, a whole node. */
  transplant: ({ message, field }, sites, random) => {
    const alike = sites.filter((other) => other.message.kind === message.kind && other.field.number === field.number);
    field.content = copy(random.pick(alike).field.content);
  },
  change: (site, _, random) => {
    const { content } = site.field;
    if (content instanceof Uint8Array) site.field.content = otherContent(site, content, random);
  },
};

/** Of its own: what holds a field could be put into it. */
const copy = (content: Uint8Array | Message) =>
  content instanceof Uint8Array ? content : parse(encode(content), content.kind);

/** Half of the edits change what a leaf holds. */
const edits = [...Object.keys(ofFields), 'change', 'change', 'change'];

function editField(bytes: Uint8Array, random: Random): { bytes: Uint8Array; what: string } {
  const model = parse(bytes);
  const sites = sitesOf(model);
  const name = random.pick(edits);
  const leaves = name === 'change' ? sites.filter(({ field }) => field.content instanceof Uint8Array) : sites;
  const site = random.pick(leaves);
  const { kind } = site.message;
  ofFields[name]!(site, sites, random);
  return { bytes: encode(model), what: `${name} field ${site.field.number} of a ${kind}` };
}

export interface Mutant {
  readonly bytes: Uint8Array;
  /** What was done, in order. */
  readonly what: readonly string[];
}

/** One to three changes; bytes last, for what they damage need not be a message any more. */
export function mutate(model: Uint8Array, seed: number): Mutant {
  const random = new Random(seed);
  const what: string[] = [];
  let bytes = model;
  for (let left = random.pick([0, 1, 1, 2, 3]); left > 0; left--) {
    const edited = editField(bytes, random);
    bytes = edited.bytes;
    what.push(edited.what);
  }
  for (
    let left = what.length === 0 ? 1 + random.below(3) : random.pick([0, 0, 0, 1]);
    left > 0 && bytes.length > 0;
    left--
  ) {
    const name = random.pick(Object.keys(ofBytes) as (keyof typeof ofBytes)[]);
    bytes = ofBytes[name](bytes, random);
    what.push(`${name} bytes`);
  }
  return { bytes, what };
}
