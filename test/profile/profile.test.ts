/** Profile files: read back as written, the same text for the same figures, and every kind of nonsense refused. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadProfile } from '../../compiler/profile/load.ts';
import { formatProfile, type Profile, parseProfile } from '../../compiler/profile/profile.ts';
import { errorOf } from '../support/error.ts';
import { point, profileOf } from '../support/made-profile.ts';

const test = suite('profile');
const folder = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
test.after(() => rm(folder, { recursive: true }));

const KEY = 'Relu (float32 mn) -> float32 mn';
const made = profileOf({
  [KEY]: { plain: [point({ m: 2, n: 30_522 }, [1e-5]), point({ n: 30_522, m: 4 }, [2.34567e-5])], blocked: [] },
});

test('what was written is read back; large sizes keep every digit, seconds four', () => {
  const read = parseProfile(formatProfile(made));
  assert.equal(
    read.chains[KEY]!.plain.map(({ sizes, seconds }) => [sizes, seconds]),
    [
      [{ m: 4, n: 30_522 }, [2.346e-5]],
      [{ m: 2, n: 30_522 }, [1e-5]],
    ],
  );
  assert.equal({ ...read, chains: {} }, { ...made, chains: {} });
});

test('the order in which points and letters were measured does not show', () => {
  const other: Profile = { ...made, chains: { [KEY]: { plain: made.chains[KEY]!.plain.toReversed(), blocked: [] } } };
  assert.is(formatProfile(other), formatProfile(made));
  const twice = formatProfile(parseProfile(formatProfile(made)));
  assert.is(twice, formatProfile(made));
});

/** `made` with one thing changed, as text. */
const changed = (change: (profile: ReturnType<typeof structuredClone<Profile>>) => void): string => {
  const copy = structuredClone(made);
  change(copy);
  return JSON.stringify(copy);
};
const first = (profile: Profile) => profile.chains[KEY]!.plain[0]!;

const refused: Record<string, [text: string, message: RegExp]> = {
  'no JSON': ['{', /^not JSON/],
  'NaN, which JSON does not have': ['{"format": NaN}', /^not JSON/],
  'something else': ['{"format": "other", "version": 1}', /^no profile of shardonnx$/],
  'a list': ['[]', /^no profile of shardonnx$/],
  'another version': [changed((p) => Object.assign(p, { version: 1 })), /^version 1, this program reads version 2$/],
  'negative seconds': [changed((p) => Object.assign(first(p), { seconds: [-1] })), /chains.*seconds\.0/],
  'a text for seconds': [changed((p) => Object.assign(first(p), { seconds: ['1'] })), /seconds\.0/],
  'more than a day': [changed((p) => Object.assign(first(p), { seconds: [1e6] })), /seconds\.0/],
  'infinitely many bytes a second': [changed(() => {}).replace('"copy":10000000000', '"copy":1e999'), /memory\.copy/],
  'no rate': [changed((p) => Object.assign(p.memory, { copy: 0 })), /memory\.copy/],
  'levels out of order': [
    changed((p) => p.memory.cold.push({ touched: 1, seconds: 0 })),
    /memory\.cold: not ascending/,
  ],
  'the same level twice': [changed((p) => p.session.after.push(p.session.after[0]!)), /session\.after: not ascending/],
  'messages without levels': [changed((p) => Object.assign(p.messages, { after: [] })), /messages\.after/],
  'a size that is no number of elements': [changed((p) => Object.assign(first(p).sizes, { m: 1.5 })), /sizes\.m/],
  'an unknown field': [changed((p) => Object.assign(p, { colour: 'red' })), /colour/],
  'a chain without points': [changed((p) => Object.assign(p.chains[KEY]!, { plain: [] })), /plain/],
  'points of other letters': [
    changed((p) => Object.assign(first(p), { sizes: { m: 2 } })),
    /points of different chains/,
  ],
  'points of other operators': [changed((p) => first(p).seconds.push(0)), /points of different chains/],
};
for (const [name, [text, message]] of Object.entries(refused)) {
  test(`refused: ${name}`, async () => {
    const error = await errorOf('profile', () => parseProfile(text, 'robot.json'));
    assert.match(error.message, message);
    assert.equal(error.context.at, ['robot.json']);
    assert.match(error.context.hint!, /shardonnx profile/);
  });
}

test('the kind of a file follows from its name; a missing one says how to make it', async () => {
  const [json, csv] = [join(folder, 'a.json'), join(folder, 'b.CSV')];
  await writeFile(json, formatProfile(made));
  await writeFile(csv, 'Layer,Latency [ms]\nconv1,2\n');
  assert.is((await loadProfile(json)).kind, 'profile');
  const table = await loadProfile(csv);
  assert.equal(table.kind === 'table' && [...table.layers], [['conv1', { seconds: 0.002 }]]);
  const error = await errorOf('profile', () => loadProfile(join(folder, 'none.json')));
  assert.match(error.message, /cannot read .*none\.json/);
  assert.match(error.context.hint!, /shardonnx profile MODEL -o/);
});

test.run();
