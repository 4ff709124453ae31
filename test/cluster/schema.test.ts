/** The published JSON Schema: up to date, of one mind with the compiler, and described in the README. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { z } from 'zod';
import { clusterJsonSchema } from '../../compiler/cluster/schema.ts';
import { compareWithFolder } from '../support/golden.ts';
import { root } from '../support/sources.ts';

const test = suite('cluster schema');
const BANDWIDTH_OR_NAME = [{ required: ['bandwidth'] }, { required: ['link'] }];
const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('the file is what the compiler checks (UPDATE=1 rewrites it), and is in the package', async () => {
  const text = `${JSON.stringify(clusterJsonSchema(), null, 2)}\n`;
  await compareWithFolder(join(root, 'compiler/cluster/schema'), { 'cluster.schema.json': text });
  const { files, exports } = JSON.parse(read('package.json'));
  assert.ok(files.includes('compiler/cluster/schema'));
  assert.is(exports['./cluster.schema.json'], './compiler/cluster/schema/cluster.schema.json');
});

/** The published file without `anyOf: [{ required }, …]`, which zod cannot weigh beside properties. */
const readable = () =>
  JSON.parse(read('compiler/cluster/schema/cluster.schema.json'), (key, value) =>
    key === 'anyOf' && isDeepStrictEqual(value, BANDWIDTH_OR_NAME) ? undefined : value,
  );
const accepts = (data: unknown) => z.fromJSONSchema(readable()).safeParse(data).success;

test('a link needs a bandwidth or a name', () => {
  const { links } = JSON.parse(read('compiler/cluster/schema/cluster.schema.json')).properties;
  assert.equal(links.items.anyOf, BANDWIDTH_OR_NAME);
});

test('it accepts every ready-made cluster file, each of which names it', () => {
  for (const file of readdirSync(join(root, 'fixtures/clusters'))) {
    const text = read(`fixtures/clusters/${file}`);
    assert.ok(accepts(parse(text)), file);
    assert.match(
      text,
      /^# yaml-language-server: \$schema=\.\.\/\.\.\/compiler\/cluster\/schema\/cluster\.schema\.json\n/,
    );
  }
});

test('it refuses what editors are to underline', () => {
  const linked = (link: object) => ({ devices: { a: {}, b: null }, links: [{ between: ['a', 'b'], ...link }] });
  assert.ok(accepts(linked({ link: 'wifi-80', latency: '3 ms' })));
  assert.ok(accepts({ $schema: 'x.json', ...linked({ bandwidth: '1 MB/s' }) }));
  const wrong: readonly unknown[] = [
    {},
    linked({ bandwidth: '10 MB' }),
    linked({ bandwidth: '-1 MB/s' }),
    linked({ bandwidth: 10 }),
    linked({ link: 'wifi-8' }),
    linked({ link: 'wifi-80', latency: '1 year' }),
    linked({ link: 'wifi-80', jitter: '1 ms' }),
    { devices: { '../a': {} } },
    { devices: { a: { sped: 2 } } },
    { devices: { a: { speed: 0 } } },
    { devices: { a: { power: { idle: '1 W' } } } },
    { devices: { a: { providers: ['gpu'] } } },
  ];
  for (const data of wrong) assert.not.ok(accepts(data), JSON.stringify(data));
});

const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

/** Names of all fields below, as the README writes them: `links[].frame.payload`. */
function fields(schema: unknown, at: string): string[] {
  return entries(schema).flatMap(([keyword, below]) => {
    switch (keyword) {
      case 'properties':
        return entries(below).flatMap(([name, field]) => {
          const path = at ? `${at}.${name}` : name;
          const inner = fields(field, path);
          return inner.length > 0 ? inner : [path];
        });
      case 'items':
        return fields(below, `${at}[]`);
      case 'additionalProperties':
        return fields(below, `${at}.NAME`);
      case 'anyOf':
        return entries(below).flatMap(([, one]) => fields(one, at));
      default:
        return [];
    }
  });
}

test('the README names every field', () => {
  const named = fields(clusterJsonSchema(), '');
  assert.ok(named.includes('devices.NAME.power.idle') && named.includes('links[].frame.payload'), named.join(', '));
  const readme = read('README.md');
  for (const name of named.filter((one) => one !== '$schema')) assert.ok(readme.includes(`\`${name}\``), name);
});

test.run();
