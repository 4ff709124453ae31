/** Texts: elements like others, each is looked at on its own. */
import { elementwise, table } from './elementwise.ts';
import { axisLetters, byLetters, type Family, type Rule, whole } from './rule.ts';

/** [c] or [1,c]; words that are struck out would move those behind them. */
const normalizer: Rule = (node) => {
  const stopwords = node.attributes.stopwords;
  if (stopwords?.kind === 'strings' && stopwords.value.length > 0)
    return whole('how many words are left only the data decides');
  const letters = axisLetters(node.inputs[0]!.shape.length);
  return byLetters(node, { inputs: [letters], outputs: [letters] });
};

export const stringFamily: Family = {
  ...table('RegexFullMatch StringConcat', elementwise),
  StringNormalizer: normalizer,
};
