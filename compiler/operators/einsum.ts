/** Einsum brings its letters along: those of the output are free, the others are summed. */
import { byLetters, type Family, type Rule, string, whole } from './rule.ts';

const einsum: Rule = (node) => {
  const equation = string(node, 'equation')!.replaceAll(' ', '');
  if (equation.includes('.')) return whole('an equation with "..." is not split');
  const [left, right] = equation.split('->');
  const inputs = left!.split(',');
  const used = [...left!].filter((letter) => letter !== ',');
  const once = used.filter((letter) => used.indexOf(letter) === used.lastIndexOf(letter));
  // Without an arrow the output has the letters that occur once, in alphabetical order.
  const output = right ?? once.sort().join('');
  const summed = used.filter((letter) => !output.includes(letter));
  return byLetters(node, {
    inputs,
    outputs: [output],
    ...(summed.length > 0
      ? { kinds: Object.fromEntries(summed.map((letter) => [letter, 'reduce'])), combine: 'sum' }
      : {}),
  });
};

export const einsumFamily: Family = { Einsum: einsum };
