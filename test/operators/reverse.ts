/** `npx tsx test/operators/reverse.ts [OPERATOR]`: the reverse check over all examples; lists what could have been cut. */
import { examples } from '../../compiler/operators/examples/index.ts';
import { cutOf } from '../../compiler/operators/index.ts';
import { suspects } from './reverse-check.ts';

const wanted = process.argv[2];
const chosen = examples.filter(({ type }) => wanted === undefined || type === wanted);
let listed = 0;
for (const given of chosen) { console.error(given.domain, given.type);
  const domain = given.domain ?? '';
  for (const line of await suspects(given, ({ node }) => cutOf(node, domain))) {
    console.log(`${domain && `${domain}::`}${given.type} ${line}`);
    listed++;
  }
}
console.log(`${chosen.length} examples, ${listed} listed`);
