/** Hosts, their link and their limits are what was asked for, and nothing of them stays. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespaces } from './namespaces.ts';
import { openTestbed } from './open-testbed.ts';
import { canPin } from './processes.ts';
import { replay, type Stretch } from './replay.ts';
import { spoken } from './spoken.ts';
import type { Testbed } from './testbed.ts';

const test = suite('testbed');
const reason = Namespaces.unavailable();
if (reason !== null) console.log(`skipped: no namespaces: ${reason}`);
const possible = reason === null ? test : test.skip;
const kinds = [
  { kind: 'namespaces', inTransport: false, run: possible },
  { kind: 'shaped in the transport', inTransport: true, run: test },
];

const MEGABYTE = 1e6;
const PORT = 5000;
const script = (text: string) => ['-e', text];
const namespaces = () => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
const two = (bandwidth: number) =>
  ({
    hosts: [{ name: 'left' }, { name: 'right', cores: [0] }],
    links: [{ between: ['left', 'right'], bandwidth }],
  }) as const;

/** As `connect` and `listen` of node:net take it. */
const place = (endpoint: string) => {
  const { hostname, port } = new URL(endpoint);
  return JSON.stringify({ host: hostname, port: Number(port) });
};

/** On the right host: does `serve` with each connection `s`. */
async function serveRight(testbed: Testbed, serve: string): Promise<void> {
  const at = place(await testbed.listen('right', PORT));
  const text = `require('net').createServer((s) => { ${serve} })
    .listen(${at}, () => console.log('up'))`;
  const server = testbed.spawn('right', process.execPath, script(text));
  await new Promise((resolve) => server.stdout!.once('data', resolve));
}

for (const { kind, inTransport, run } of kinds) {
  run(`${kind}: two hosts reach each other`, async () => {
    const testbed = openTestbed(two(100 * MEGABYTE), inTransport);
    try {
      await serveRight(testbed, `s.end('here')`);
      assert.is(await ask(testbed, await testbed.endpoint('right', PORT, 'left')), 'here');
    } finally {
      testbed.close();
    }
  });

  run(`${kind}: a link is shaped, and shaped anew`, async () => {
    const testbed = openTestbed(two(MEGABYTE), inTransport);
    try {
      await serveRight(testbed, `let n = 0; s.on('data', (d) => { n += d.length; if (n === 1e6) s.end('!'); })`);
      const at = place(await testbed.endpoint('right', PORT, 'left'));
      const send = script(`const t = performance.now(); const s = require('net').connect(${at});
        s.write(Buffer.alloc(1e6)); s.on('data', () => { console.log(performance.now() - t); process.exit(0); })`);
      const seconds = async () => Number((await spoken(testbed.spawn('left', process.execPath, send))).stdout) / 1e3;
      // No upper limits: the machine may be busy. A bucket's worth and what sockets hold may go faster.
      assert.ok((await seconds()) > 0.8, 'a megabyte at one megabyte a second');
      testbed.setBandwidth(0, 4 * MEGABYTE);
      assert.ok((await seconds()) > 0.2, 'at four');
    } finally {
      testbed.close();
    }
  });

  run(`${kind}: close ends what runs`, async () => {
    const testbed = openTestbed(
      { hosts: [{ name: 'alone', cpu: 0.5, memory: 512 * MEGABYTE }], links: [] },
      inTransport,
    );
    const child = testbed.spawn('alone', process.execPath, script('setInterval(() => {}, 1000)'));
    const end = spoken(child);
    await new Promise((resolve) => child.once('spawn', resolve));
    testbed.close();
    assert.is.not((await end).status, 0);
  });

  run(`${kind}: a host that is there already, or that nobody made, is refused`, () => {
    const twice = { hosts: [{ name: 'same' }, { name: 'same' }], links: [] };
    assert.throws(() => openTestbed(twice, inTransport));
    const testbed = openTestbed(two(MEGABYTE), inTransport);
    assert.throws(() => testbed.spawn('middle', process.execPath, []), /no host middle/);
    testbed.close();
  });

  const ifPinned = canPin() ? run : test.skip;
  ifPinned(`${kind}: a host keeps to its cores`, async () => {
    const testbed = openTestbed(two(MEGABYTE), inTransport);
    try {
      const cores = script(`console.log(require('os').availableParallelism())`);
      assert.is((await spoken(testbed.spawn('right', process.execPath, cores))).stdout.trim(), '1');
    } finally {
      testbed.close();
    }
  });
}

/** What the left host hears there. */
async function ask(testbed: Testbed, endpoint: string): Promise<string> {
  const call = `const s = require('net').connect({ ...${place(endpoint)}, timeout: 2000 });
    s.on('data', (d) => { console.log(String(d)); process.exit(0); });
    for (const e of ['error', 'timeout']) s.on(e, () => { console.log('nobody'); process.exit(0); });`;
  return (await spoken(testbed.spawn('left', process.execPath, script(call)))).stdout.trim();
}

possible('each namespace has a loopback of its own', async () => {
  const testbed = openTestbed(two(100 * MEGABYTE), false);
  try {
    await serveRight(testbed, `s.end('here')`);
    assert.is(await ask(testbed, `tcp://127.0.0.1:${PORT}`), 'nobody');
  } finally {
    testbed.close();
  }
});

possible('nothing stays of namespaces, also of those that cannot be made', () => {
  const testbed = openTestbed({ hosts: [{ name: 'alone' }], links: [] }, false);
  assert.match(namespaces(), /-alone/);
  testbed.close();
  const twice = { hosts: [{ name: 'same' }, { name: 'same' }], links: [] };
  assert.throws(() => openTestbed(twice, false));
  assert.not.match(namespaces(), new RegExp(`sx${process.pid % 1e6}-(alone|same)`));
});

test('what a testbed lacks is told', () => {
  const spec = { hosts: [{ name: 'slow', cpu: 0.2 }], links: [] };
  const shaped = openTestbed(spec, true);
  assert.is(shaped.share('slow'), 1);
  assert.match(shaped.note, /in the transport.*\(asked for\).*full speed/);
  const other = openTestbed(spec, false);
  assert.is(other.share('slow'), reason === null ? 0.2 : 1);
  if (reason !== null) assert.ok(other.note.includes(reason));
  for (const testbed of [shaped, other]) testbed.close();
});

/** Each bandwidth that a link was given, and how long before the next one or the end. */
async function replayed(trace: readonly Stretch[], stop?: AbortSignal): Promise<{ bandwidth: number; ms: number }[]> {
  const set: { bandwidth: number; at: number }[] = [];
  const setBandwidth = (_: number, bandwidth: number) => set.push({ bandwidth, at: performance.now() });
  await replay({ setBandwidth }, 0, trace, stop);
  const end = performance.now();
  return set.map(({ bandwidth, at }, i) => ({ bandwidth, ms: (set[i + 1]?.at ?? end) - at }));
}

test('a trace is followed to its end', async () => {
  const stretches = await replayed([
    { seconds: 0.1, bandwidth: 3 },
    { seconds: 0.2, bandwidth: 1 },
    { seconds: 0.1, bandwidth: 2 },
  ]);
  assert.equal(
    stretches.map(({ bandwidth }) => bandwidth),
    [3, 1, 2],
  );
  const total = stretches.reduce((sum, { ms }) => sum + ms, 0);
  assert.ok(total > 390, `${total} ms`);
});

test('a trace can be stopped', async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  const hour = { seconds: 3600, bandwidth: 1 };
  assert.is((await replayed([hour, hour], stop.signal)).length, 1);
});

test.run();
