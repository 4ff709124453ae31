/** The form of a split test: a row says the notation, the letters that must have been cut, and the operator to prove them on. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Case, type Proof, prove, wholeReason } from './brute-force.ts';

type Test = (name: string, run: () => Promise<void>) => void;
export type Row = readonly [notation: string, letters: string, given: Case];

/** At least two tiles a letter, or nothing was proven. */
function assertProven(proof: Proof, letters: string): void {
  assert.is(proof.letters, letters);
  assert.ok(proof.tiles >= 2 * letters.length && proof.tiles > 0, `${proof.tiles} tiles`);
}

/** One test a row. */
export function rows(test: Test, all: readonly Row[]): void {
  assert.ok(all.length > 0);
  for (const [i, [notation, letters, given]] of all.entries()) {
    test(`${given.type} ${notation} (${i})`, async () => {
      const proof = await prove(given);
      assert.is(proof.cut.notation, notation);
      assertProven(proof, letters);
    });
  }
}

/** Operators that run whole, and the reason's beginning. */
export function wholes(test: Test, all: readonly (readonly [reason: string, given: Case])[]): void {
  for (const [reason, given] of all) {
    test(`${given.type} whole: ${reason}`, async () => {
      assert.match(await wholeReason(given), reason);
    });
  }
}

/** Seed and size of every property: the same cases on every machine. */
export const RUNS = { seed: 20240607, endOnFailure: true, includeErrorInReport: true } as const;
/** `SCALE=20` searches longer. */
const SCALE = Number(process.env.SCALE ?? 1);

/** Any case drawn from `arbitrary` is cut exactly; over all of them every letter of `letters` is cut. */
export function property(test: Test, name: string, letters: string, arbitrary: fc.Arbitrary<Case>, runs = 40) {
  test(name, async () => {
    const seen = new Set<string>();
    let tiles = 0;
    await fc.assert(
      fc.asyncProperty(arbitrary, async (given) => {
        const proof = await prove(given);
        for (const letter of proof.letters) seen.add(letter);
        tiles += proof.tiles;
      }),
      { ...RUNS, numRuns: runs * SCALE },
    );
    assert.is([...seen].sort().join(''), letters);
    assert.ok(tiles >= runs, `${tiles} tiles`);
  });
}
