/** Tensor parallel: every operator's output channels, features or heads shared, or what it sums over. */
import { attentionOf } from './attention.ts';
import type { Policy } from './policy.ts';
import { tensorParallel } from './tensor-parallel.ts';

export const channel: Policy = {
  name: 'channel',
  summary:
    'output channels and features shared in proportion to speed, alternating with sums that are shared (tensor parallel)',
  plan: (program, cluster, _, { bytesPerFloat }) =>
    tensorParallel(program, cluster, { attention: attentionOf(program), byHead: false, bytesPerFloat }),
};
