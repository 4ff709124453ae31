/** Einsum brings its letters along: those of the output are free, the others are summed. */
import { byLetters, type Family, freshLetters, type Node, type Rule, rightAligned, string } from './rule.ts';

/** `...` stands for the dimensions that the letters leave over, aligned at the right. */
function spelled(node: Node, equation: string): string {
  if (!equation.includes('...')) return equation;
  const [left, right] = equation.split('->');
  const terms = left!.split(',');
  const named = (term: string) => term.replace('...', '').length;
  const over = terms.map((term, i) => (term.includes('...') ? node.inputs[i]!.shape.length - named(term) : 0));
  const others = freshLetters(Math.max(...over), equation);
  const inputs = terms.map((term, i) => term.replace('...', rightAligned(others, over[i]!)));
  return `${inputs.join(',')}->${right === undefined ? others + once(left!) : right.replace('...', others)}`;
}

/** Letters that occur once, in alphabetical order: an output that no arrow names. */
function once(left: string): string {
  const used = [...left].filter((letter) => letter !== ',' && letter !== '.');
  return used
    .filter((letter) => used.indexOf(letter) === used.lastIndexOf(letter))
    .sort()
    .join('');
}

const einsum: Rule = (node) => {
  const equation = spelled(node, string(node, 'equation')!.replaceAll(' ', ''));
  const [left, right] = equation.split('->');
  const inputs = left!.split(',');
  const used = [...left!].filter((letter) => letter !== ',');
  const output = right ?? once(left!);
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
