/** Whole builds at work on this machine, over both transports. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { expected, given, LINE, removeBuilds, ROUND_TRIP, writeBuild } from './fixture.ts';

const test = suite('bundle');
test.after(removeBuilds);

for (const transport of ['memory', 'tcp'] as const) {
  for (const [name, fixture] of Object.entries({ ROUND_TRIP, LINE })) {
    test(`${name} over ${transport}: several inferences`, async () => {
      const bundle = await openBundle(await writeBuild(fixture), { transport, timeout: 5, connectTimeout: 5 });
      const runs = [1, 2, 3].map((n) => bundle.infer(given(n, 2, 3, 4)));
      for (const [i, run] of runs.entries()) {
        const { outputs, ms } = await run;
        assert.equal([...(outputs.y?.data ?? [])], expected(i + 1, 2, 3, 4));
        assert.ok(ms > 0);
      }
      const stats = await bundle.stats();
      assert.is(stats.server?.bytesReceived, 3 * 16);
      assert.is(stats.server?.bytesSent, 3 * 16);
      assert.is(stats.server?.segments[0]?.runs, 3);
      assert.is(stats.robot?.framesDropped, 0);
      assert.is(stats.robot?.peakBytes === null, transport === 'memory');
      await bundle.close();
    });
  }
}

test.run();
