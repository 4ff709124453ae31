/** Operators of other domains: whole, with the reason, where onnxruntime has them. (Where it has not: refused.test.ts.) */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf } from '../support/imported.ts';
import { assertBuildEquals } from '../support/reference.ts';
import { modelBytes, node, value } from './make.ts';

const test = suite('domains');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2 });

test("onnxruntime's own domains, before and after what is split", async () => {
  const channels = { channels: { kind: 'int', value: 8 } } as const;
  const packed = { domain: 'com.microsoft.nchwc' };
  const model = work.write(
    'packed.onnx',
    modelBytes({
      opsets: { '': 17, 'com.microsoft.nchwc': 1 },
      nodes: [
        node('Relu', ['x'], ['r'], {}, { name: 'before' }),
        node('ReorderInput', ['r'], ['p'], {}, { name: 'pack', ...packed }),
        node('ReorderOutput', ['p'], ['u'], channels, { name: 'unpack', ...packed }),
        node('Exp', ['u'], ['y'], {}, { name: 'after' }),
      ],
      inputs: [value('x', [1, 8, 12, 6])],
    }),
  );
  const { cuts } = cutsOf(await importModel(model));
  const why = [...cuts].map(([name, cut]) => [name, 'whole' in cut ? cut.whole : cut.notation]);
  assert.equal(why, [
    ['before', 'nchw->nchw'],
    ['pack', 'its channels are packed in blocks for one machine'],
    ['unpack', 'its channels are packed in blocks for one machine'],
    ['after', 'nchw->nchw'],
  ]);
  const output = work.path('packed');
  await compile({ model, cluster, policy: 'spatial', output });
  await assertBuildEquals(output, model);
});

test.run();
