/** Hosts, their link and their limits are what was asked for, and nothing of them stays. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { spoken } from './run-bundle.ts';
import { Testbed } from './testbed.ts';

const test = suite('testbed');
const reason = Testbed.unavailable();
if (reason !== null) console.log(`skipped: no testbed: ${reason}`);
const possible = reason === null ? test : test.skip;

const MEGABYTE = 1e6;
const script = (text: string) => ['-e', text];
const namespaces = () => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });

possible('two hosts reach each other, and nobody else', async () => {
  const testbed = Testbed.open({
    hosts: [{ name: 'left' }, { name: 'right' }],
    links: [{ between: ['left', 'right'], bandwidth: 100 * MEGABYTE }],
  });
  try {
    const listen = `require('net').createServer((s) => s.end('here')).listen(5000, '0.0.0.0', () => console.log('up'))`;
    const server = testbed.spawn('right', process.execPath, script(listen));
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    const call = (address: string) =>
      script(`const s = require('net').connect({ host: '${address}', port: 5000, timeout: 2000 });
        s.on('data', (d) => { console.log(String(d)); process.exit(0); });
        for (const e of ['error', 'timeout']) s.on(e, () => { console.log('nobody'); process.exit(0); });`);
    const ask = async (host: string, address: string) =>
      (await spoken(testbed.spawn(host, process.execPath, call(address)))).stdout.trim();
    assert.is(await ask('left', testbed.address('right', 'left')), 'here');
    assert.is(await ask('left', '127.0.0.1'), 'nobody', 'each host has a loopback of its own');
  } finally {
    testbed.close();
  }
});

possible('a link is shaped, and shaped anew', async () => {
  const testbed = Testbed.open({
    hosts: [{ name: 'left' }, { name: 'right' }],
    links: [{ between: ['left', 'right'], bandwidth: MEGABYTE }],
  });
  try {
    const count = `require('net').createServer((s) => { s.resume(); s.on('end', () => s.end('!')); })
      .listen(5000, '0.0.0.0', () => console.log('up'))`;
    const server = testbed.spawn('right', process.execPath, script(count));
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    const send =
      script(`const t = performance.now(); const s = require('net').connect(5000, '${testbed.address('right', 'left')}');
      s.end(Buffer.alloc(1e6)); s.on('data', () => { console.log(performance.now() - t); process.exit(0); })`);
    const seconds = async () => Number((await spoken(testbed.spawn('left', process.execPath, send))).stdout) / 1e3;
    // No upper limits: the machine may be busy. A bucket's worth and what sockets hold may go faster.
    assert.ok((await seconds()) > 0.8, 'a megabyte at one megabyte a second');
    testbed.setBandwidth(0, 4 * MEGABYTE);
    assert.ok((await seconds()) > 0.2, 'at four');
  } finally {
    testbed.close();
  }
});

possible('close ends what runs and takes everything down', async () => {
  const testbed = Testbed.open({ hosts: [{ name: 'alone', cpu: 0.5, memory: 512 * MEGABYTE }], links: [] });
  const child = testbed.spawn('alone', process.execPath, script('setInterval(() => {}, 1000)'));
  const end = spoken(child);
  await new Promise((resolve) => child.once('spawn', resolve));
  assert.match(namespaces(), /-alone/);
  testbed.close();
  assert.is.not((await end).status, 0);
  assert.not.match(namespaces(), new RegExp(`sx${process.pid % 1e6}-alone`));
});

possible('a host that cannot be made leaves nothing', () => {
  const twice = { hosts: [{ name: 'same' }, { name: 'same' }], links: [] };
  assert.throws(() => Testbed.open(twice));
  assert.not.match(namespaces(), new RegExp(`sx${process.pid % 1e6}-same`));
});

test.run();
