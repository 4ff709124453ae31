/** Execution providers: what device.json names is used, or the device says that it is not there. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { errorOf } from '../support/error.ts';
import { expected, given, ROUND_TRIP, removeBuilds, writeBuild } from './fixture.ts';

const test = suite('providers');
test.after(removeBuilds);

/** A build whose server is to use these. */
async function buildFor(providers: readonly string[]): Promise<string> {
  const build = await writeBuild(ROUND_TRIP);
  const file = join(build, 'server', 'device.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), providers }));
  return build;
}
const open = async (providers: readonly string[]) =>
  openBundle(await buildFor(providers), { transport: 'memory', timeout: 10, connectTimeout: 20 });

test('those that are there are used', async () => {
  const bundle = await open(['cpu']);
  const { outputs } = await bundle.infer(given(1, 2, 3, 4));
  assert.equal([...(outputs.y?.data ?? [])], expected(1, 2, 3, 4));
  await bundle.close();
});

test('one that is not there is named, and those that are, whatever else is listed', async () => {
  const error = await errorOf('provider-missing', () => open(['abacus', 'cpu']));
  assert.match(error.message, /^server is to use abacus, and onnxruntime-node has .*cpu.* here$/);
  assert.equal(error.context.at, ['device server']);
});

test.run();
