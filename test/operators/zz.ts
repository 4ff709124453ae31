import { examples } from '../../compiler/operators/examples/index.ts';
import { runWhole } from '../../compiler/operators/examples/one-node.ts';
import { cutOf, isWhole } from '../../compiler/operators/index.ts';
import { prove } from './brute-force.ts';

const only = process.argv[2];
for (const e of examples) {
  const name = `${e.domain ?? ''}.${e.type}`;
  if (only && !name.includes(only)) continue;
  try {
    const of = await runWhole(e);
    const cut = cutOf(of.node, e.domain ?? '');
    if (isWhole(cut)) {
      console.log('whole', name, cut.whole);
      continue;
    }
    const p = await prove(e);
    console.log('ok   ', name, p.cut.notation, '|', p.letters, '|', p.tiles);
  } catch (error) {
    console.log('FAIL ', name, String((error as Error).message).slice(0, only ? 1500 : 330));
  }
}
