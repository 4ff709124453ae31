/** Tensor parallel by attention heads; all else as `channel`. */
import { attentionOf } from './attention.ts';
import { type Policy, policyError } from './policy.ts';
import { tensorParallel } from './tensor-parallel.ts';

export const head: Policy = {
  name: 'head',
  summary: 'attention heads shared in proportion to speed, all else as channel',
  applies: (program) => attentionOf(program).letters.size > 0,
  plan(program, cluster, _, { bytesPerFloat }) {
    const attention = attentionOf(program);
    if (attention.letters.size > 0) return tensorParallel(program, cluster, { attention, byHead: true, bytesPerFloat });
    throw policyError('head', `${program.name} has no attention that can be shared by heads`, 'take channel');
  },
};
