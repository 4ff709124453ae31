import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('einsum');

const einsum = (equation: string, ...inputs: Case['inputs']): Case => ({
  type: 'Einsum',
  inputs,
  attributes: { equation: text(equation) },
});

rows(test, [
  ['bhid,bhjd->bhij', 'bdhij', einsum('bhid, bhjd -> bhij', f32(2, 2, 3, 4), f32(2, 2, 5, 4))],
  ['ij,jk->ik', 'ijk', einsum('ij,jk', f32(3, 4), f32(4, 2))],
  ['ij->', 'ij', einsum('ij->', f32(3, 4))],
  ['ij->ji', 'ij', einsum('ij->ji', f32(3, 4))],
  ['ii->i', 'i', einsum('ii->i', f32(4, 4))],
  ['aij,ajk->aik', 'aijk', einsum('...ij,...jk->...ik', f32(2, 3, 4), f32(2, 4, 2))],
  ['abmk,abkn->abmn', 'abkmn', einsum('...mk, ...kn', f32(2, 3, 4, 5), f32(2, 3, 5, 2))],
  ['abj,abi->ab', 'abij', einsum('a...j,a...i->a...', f32(2, 3, 4), f32(2, 3, 5))],
  ['ij,kl->ijkl', 'ijkl', einsum('ij,kl->ijkl', f32(2, 3), f32(2, 4))],
]);

/** Two or three operands over four letters, of which some are left. */
const SIZES: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4, d: 3 };
const operands = fc.array(fc.shuffledSubarray([...'abcd'], { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});
const equations = operands.chain((terms) =>
  fc.shuffledSubarray([...new Set(terms.flat())]).map((left): Case => {
    const inputs = terms.map((term) => f32(...term.map((letter) => SIZES[letter]!)));
    return einsum(`${terms.map((term) => term.join('')).join(',')}->${left.join('')}`, ...inputs);
  }),
);
property(test, 'any equation', 'abcd', equations, 80);

test.run();
