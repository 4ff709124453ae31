/** `keys`: what it makes, what it keeps, and that two devices of a build work with them and not without. */
import { chmodSync, cpSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findKeys } from '../../runtime/keys.ts';
import { ROUND_TRIP, removeBuilds, writeBuild } from '../runtime/fixture.ts';
import { killAll, Running } from '../runtime/process.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { rejection } from '../support/error.ts';

const test = suite('keys');
const work = workFolder();
test.after.each(killAll);
test.after(removeBuilds);

test('one secret file a device, for its owner alone; what is there is kept', async () => {
  const folder = work.path('some');
  const first = await shardonnx('keys', 'robot', 'server', '-o', folder);
  assert.is(first.status, 0, first.stderr);
  assert.match(first.stdout, /^made keys of robot, server in /);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  for (const device of ['robot', 'server']) {
    assert.is(statSync(join(folder, `${device}.secret.json`)).mode & 0o777, 0o600);
    const { d, x } = JSON.parse(read(`${device}.secret.json`));
    assert.is(Buffer.from(d, 'base64url').length, 32);
    assert.ok(read('public.json').includes(x) && !read('public.json').includes(d));
  }
  const before = read('robot.secret.json');
  const second = json(await shardonnx('keys', 'robot', 'server', 'screen', '-o', folder, '--json'));
  assert.equal([second.made, second.kept], [['screen'], ['robot', 'server']]);
  assert.is(read('robot.secret.json'), before);
  assert.equal(
    JSON.parse(read('public.json')).keys.map(({ kid }: { kid: string }) => kid),
    ['robot', 'server', 'screen'],
  );
  await shardonnx('keys', 'robot', '-o', folder, '--renew');
  assert.is.not(read('robot.secret.json'), before);
  assert.is(JSON.parse(read('public.json')).keys.length, 3);
});

test('a build gets no secret unless asked, and its folders then work as they are', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const folder = work.path('of-build');
  await shardonnx('keys', build, '-o', folder);
  assert.not.ok(existsSync(join(build, 'robot', 'keys')));
  const { status, stderr } = await shardonnx('keys', build, '-o', folder, '--into-bundle');
  assert.is(status, 0, stderr);
  assert.not.ok(existsSync(join(build, 'robot', 'keys', 'server.secret.json')));
  assert.is(statSync(join(build, 'robot', 'keys', 'robot.secret.json')).mode & 0o777, 0o600);
  const server = new Running(build, 'server', ['--listen', 'tcp://0.0.0.0:*']);
  const [, port] = await server.prints(/listening at tcp:\/\/0.0.0.0:(\d+)/);
  // A copy without keys is told what is wrong, and the server waits on.
  const bare = await writeBuild(ROUND_TRIP);
  const peer = `--peer=server=tcp://127.0.0.1:${port}`;
  const refused = await new Running(bare, 'robot', [peer, '--input=x=random', '--connect-timeout=1']).ended;
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /peer-missing: .* where the handshake breaks off: both need keys/);
  const args = [peer, '--input=x=random', '--keys', folder];
  const robot = await new Running(bare, 'robot', args).ended;
  assert.is(robot.status, 0, robot.stderr);
  const served = await server.ended;
  assert.is(served.status, 0, served.stderr);
});

test('without keys a device opens no door to others unless asked, and then says so', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const start = (...args: string[]) => new Running(build, 'server', ['--listen', 'tcp://0.0.0.0:*', ...args]);
  const { status, stderr } = await start().ended;
  assert.is(status, 1);
  assert.match(
    stderr,
    /^keys-needed: server would listen at .* without keys.*\n {2}"shardonnx keys robot server -o keys"/,
  );
  const open = start('--insecure');
  await open.prints(/listening at/);
  open.signal('SIGTERM');
  assert.match((await open.ended).stderr, /^server: insecure: no keys: whoever reaches/);
  const both = await start('--insecure', '--keys', 'keys').ended;
  assert.match(both.stderr, /^bad-flag: --insecure goes without keys/);
});

test('keys that are none, of others, for all to read, or of nobody', async () => {
  const folder = work.path('wrong');
  await shardonnx('keys', 'robot', 'server', '-o', folder);
  const own = work.path('own');
  const fresh = () => cpSync(folder, own, { recursive: true });
  const read = (device = 'robot') => findKeys('', device, own);
  fresh();
  assert.ok(await read());
  await rejection(read('screen'), 'keys-invalid');
  cpSync(join(own, 'server.secret.json'), join(own, 'robot.secret.json'));
  await rejection(read(), 'keys-invalid');
  fresh();
  work.write('own/public.json', '{"keys":[]}');
  await rejection(read(), 'keys-invalid');
  work.write('own/public.json', '{"keys":[{"kty":"RSA"}]}');
  await rejection(read(), 'keys-invalid');
  fresh();
  work.write('own/robot.secret.json', 'no key');
  await rejection(read(), 'keys-invalid');
  await rejection(findKeys('', 'robot', work.path('nowhere')), 'keys-invalid');
  fresh();
  chmodSync(join(own, 'robot.secret.json'), 0o644);
  await rejection(read(), 'key-exposed');
  assertRefused(await shardonnx('keys', '../robot', '-o', own), 'flag', /neither a build nor the name of a device/);
  assertRefused(await shardonnx('keys', 'robot', '-o', own, '--into-bundle'), 'flag', /is no build/);
});

test.run();
