/** What the README shows is what the project has. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { policies } from '../compiler/planning/policies/index.ts';

const test = suite('README');
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');

test('its pass is the tested one', () => {
  const indented = read('fixtures/passes/keep-home.ts')
    .trimEnd()
    .split('\n')
    .map((line) => (line ? `    ${line}` : ''));
  assert.ok(readme.includes(indented.join('\n')));
});

test('its program is what codegen writes', () => {
  const golden = read('fixtures/cases/halo-exchanged/expected/left/program.ts').split('\n');
  const shown = readme.split('\n').filter((line) => /device\.(segment|send|receive)/.test(line));
  assert.ok(shown.length > 3);
  for (const line of shown) assert.ok(golden.includes(line.slice(4)), line);
});

test('it names every policy', () => {
  for (const { name } of policies) assert.match(readme, new RegExp(`\\| \`${name}`));
});

test('its scripts exist', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'));
  const named = [...readme.matchAll(/npm run (?:-s )?([\w:]+)/g)].map((match) => match[1]!);
  assert.ok(named.length > 5);
  for (const name of named) assert.ok(scripts[name], `no script ${name}`);
});

test('no placeholder is left', () => {
  assert.not.match(readme, /<!--/);
});

test.run();
