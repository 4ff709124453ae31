/** The link test between two ends on this machine, and what is said when the other end is not there or is no link test. */
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { burstOf, burstRate, measureLink, serveLink } from '../../compiler/measure/link.ts';
import { zeromq } from '../../runtime/modules.ts';
import { errorOf } from '../support/error.ts';

const test = suite('link');

/** The endpoint of a server, and its end. */
function served(timeout: number): Promise<{ endpoint: string; end: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const end = serveLink('tcp://127.0.0.1:*', timeout, (endpoint) => resolve({ endpoint, end }));
    end.catch(reject);
  });
}

test('both ends end, with figures', async () => {
  const { endpoint, end } = await served(20);
  const { roundTrip, to, from, burst } = await measureLink(endpoint, 20);
  await end;
  for (const figure of [roundTrip, to, from]) assert.ok(Number.isFinite(figure) && figure > 0, String(figure));
  assert.ok(roundTrip < 20 && burst >= 0);
});

test('a burst that stalls makes no slow link; a slow link needs one burst', async () => {
  const bursts: number[] = [];
  const carries = (rate: number) => async (count: number) => {
    bursts.push(count);
    return (count * 2 ** 20) / rate + (bursts.length === 1 ? 1 : 0);
  };
  assert.is(Math.round(await burstRate(carries(1e8))), 1e8);
  assert.equal([...new Set(bursts)], [4, 8, 16, 32]);
  bursts.length = 0;
  assert.ok((await burstRate(carries(1e6))) > 0.8e6);
  assert.equal(bursts, [4]);
});

test('a burst is found by messages of about twice its size; a link that has none has none', async () => {
  const sizes: number[] = [];
  const bucket = (bytes: number, noise: number) => async (message: number) => {
    sizes.push(message);
    return Math.max(0, message - bytes) / 1e6 + noise;
  };
  assert.is(await burstOf(1e6, bucket(0, 0)), 0);
  assert.is(await burstOf(1e6, bucket(200, 0)), 0);
  assert.is(await burstOf(1e6, bucket(0, 1)), 0);
  sizes.length = 0;
  assert.is(await burstOf(1e6, bucket(4000, 0)), 4000);
  assert.equal([...new Set(sizes)], [2500, 5000, 10_000]);
  // What is larger than any message of the test is as large as the largest.
  assert.is(await burstOf(1e6, bucket(1e6, 0)), 80_000);
});

test('nobody serves: told within the time', async () => {
  const error = await errorOf('link', () => measureLink('tcp://127.0.0.1:9', 0.2));
  assert.match(error.message, /^no answer within 0\.2 s$/);
  assert.match(error.context.hint!, /--serve/);
});

test('nobody comes: told within the time', async () => {
  const error = await errorOf('link', () => serveLink('tcp://127.0.0.1:*', 0.2, () => {}));
  assert.match(error.message, /^nobody for 0\.2 s$/);
  assert.match(error.context.hint!, /--link/);
});

test('something else answers there', async () => {
  const { Router } = zeromq();
  const router = new Router();
  await router.bind('tcp://127.0.0.1:*');
  const answered = (async () => {
    const [peer] = await router.receive();
    await router.send([peer!, 'what?']);
  })();
  const error = await errorOf('link', () => measureLink(router.lastEndpoint!, 5));
  assert.match(error.message, /no link test/);
  await answered;
  router.close();
});

test('addresses that are none, and a port that is taken', async () => {
  for (const endpoint of ['10.0.0.1:7000', 'tcp://host', 'tcp://host:0', 'tcp://host:99999']) {
    await errorOf('link', () => measureLink(endpoint, 1));
    await errorOf('link', () => serveLink(endpoint, 1, () => {}));
  }
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const error = await errorOf('link', () => serveLink(`tcp://127.0.0.1:${port}`, 1, () => {}));
  assert.match(error.message, /cannot listen/);
  server.close();
});

test.run();
