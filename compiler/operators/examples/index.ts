/** Every example: at least one for each operator that a model of one node can hold. */
import { alongExamples } from './along.ts';
import { attentionExamples } from './attention.ts';
import { elementwiseExamples } from './elementwise.ts';
import type { Case } from './example.ts';
import { layerExamples } from './layers.ts';
import { movingExamples } from './moving.ts';

export const examples: readonly Case[] = [
  ...elementwiseExamples,
  ...layerExamples,
  ...attentionExamples,
  ...movingExamples,
  ...alongExamples,
];
