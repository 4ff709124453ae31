/** The networks of the evidence, as the tables' shapes show them: two had larger pictures. */
import type { Model } from '../../../fixtures/zoo/builder.ts';
import { efficientnetB0 } from '../../../fixtures/zoo/efficientnet.ts';
import { googlenet } from '../../../fixtures/zoo/googlenet.ts';
import { regnetX400MF } from '../../../fixtures/zoo/regnet.ts';
import { resnet } from '../../../fixtures/zoo/resnet.ts';
import { squeezenet } from '../../../fixtures/zoo/squeezenet.ts';
import { vgg } from '../../../fixtures/zoo/vgg.ts';

export interface Published {
  /** Of the tables' files. */
  readonly name: string;
  readonly model: () => Model;
  /** Throughput of the best cut over that of the better platform alone, as published: percent more, to a tenth. */
  readonly gain: number;
}

export const networks: readonly Published[] = [
  { name: 'squeezenet1_1', model: () => squeezenet(1, 227), gain: 36.2 },
  { name: 'vgg16', model: () => vgg(16, false, 1), gain: 23.4 },
  { name: 'googlenet', model: () => googlenet(1), gain: 51.8 },
  { name: 'resnet50', model: () => resnet(50, 1), gain: 29.0 },
  { name: 'regnet_x_400mf', model: () => regnetX400MF(1, 227), gain: 40.1 },
  { name: 'efficientnet', model: () => efficientnetB0(1), gain: 47.7 },
];
