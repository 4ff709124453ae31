import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { markdown } from '../../compiler/cli/operators-command.ts';
import { compareWith, strangers } from '../../compiler/operators/comparison.ts';
import { countOf, describeOperators } from '../../compiler/operators/describe.ts';
import { examples } from '../../compiler/operators/examples/index.ts';
import { forget, run, runWhole } from '../../compiler/operators/examples/one-node.ts';
import { cutOf, isWhole, splitTables } from '../../compiler/operators/index.ts';
import { knownOperators } from '../../compiler/operators/known.ts';
import { prove } from './brute-force.ts';

const test = suite('examples');

const title = (domain: string, type: string) => (domain ? `${domain}::${type}` : type);

for (const given of examples) {
  const domain = given.domain ?? '';
  test(title(domain, given.type), async () => {
    const { node } = await runWhole(given);
    const cut = cutOf(node, domain);
    if (isWhole(cut)) return void assert.not.match(cut.whole, /^no rule/);
    const proof = await prove(given);
    const cuttable = Object.entries(cut.letters).filter(([, { kind, size }]) => kind !== 'whole' && size > 1);
    assert.is(
      proof.letters,
      cuttable
        .map(([letter]) => letter)
        .sort()
        .join(''),
    );
    assert.ok(proof.letters.length > 0, 'nothing was cut');
  });
}

test('every rule that cuts has an example', () => {
  const shown = new Set(examples.map(({ domain, type }) => title(domain ?? '', type)));
  const unshown = Object.entries(splitTables).flatMap(([domain, family]) =>
    Object.keys(family)
      .map((type) => title(domain, type))
      .filter((name) => !shown.has(name)),
  );
  // Sequences, optionals, maps, subgraphs, caches changed in place: no model of one node with tensors holds them.
  const reasons =
    /^(Concat.*|If|Loop|Scan|Constant|Optional|OptionalHas.*|Sequence.*|SplitTo.*|.*::(CastMap|DictVec.*|ZipMap|Tokenizer|.*Search|Sampling|Sparse.*))$/;
  assert.equal(
    unshown.filter((name) => !reasons.test(name)),
    [],
  );
});

test('the table covers what onnxruntime runs, and nothing else', async () => {
  const rows = await describeOperators();
  assert.equal(
    rows.filter(({ whole }) => whole?.startsWith('no rule')),
    [],
  );
  const known = Object.entries(knownOperators).flatMap(([domain, types]) => types.map((type) => title(domain, type)));
  const covered = Object.entries(splitTables).flatMap(([domain, family]) =>
    Object.keys(family).map((type) => title(domain, type)),
  );
  assert.equal(
    covered.filter((name) => !known.includes(name)),
    [],
  );
  assert.equal(strangers(rows), []);
});

test('onnxruntime-node knows every operator listed', async () => {
  const unknown: string[] = [];
  for (const [domain, types] of Object.entries(knownOperators)) {
    for (const type of types) {
      const messages: string[] = [];
      for (const opset of domain ? [1, 5] : [26, 17, 9, 1]) {
        const node = { type, domain, opset, attributes: {}, inputs: [], outputs: [true] };
        await run(node).catch((error: unknown) => messages.push(String(error)));
        if (messages.some((message) => !message.includes('is not a registered'))) break;
      }
      if (messages.length > 0 && messages.every((message) => message.includes('is not a registered'))) {
        unknown.push(title(domain, type));
      }
    }
  }
  await forget();
  assert.equal(unknown, []);
});

test('the manual page has a line an operator', async () => {
  const rows = await describeOperators();
  const page = markdown(rows);
  assert.is(page.split('\n').filter((line) => line.startsWith('| ')).length, rows.length + 2 * 4 + (2 + 5) + (2 + 2));
  const { operators, splittable } = countOf(rows);
  assert.ok(splittable > 0.75 * operators, `${splittable} of ${operators}`);
  // What others shard and we do not is random.
  const random = /^(normal|uniform|bernoulli|multinomial|randn?_like)$/;
  const whole = compareWith(rows).flatMap((comparison) => comparison.whole);
  assert.equal(
    whole.filter((name) => !random.test(name)),
    [],
  );
});

test.run();
