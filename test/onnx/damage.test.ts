/** Random bytes: an error for the user, nothing else. Damaged models are test/fuzz's. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompileError } from '../../compiler/error.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { workFolder } from './make.ts';

const work = workFolder();
test.after(work.remove);

/** Always the same runs. */
const [seed, runs] = [1, 250];

/** What came of it. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    const program = await importModel(work.write('damaged.onnx', bytes));
    return program.stage;
  } catch (error) {
    if (error instanceof CompileError) return error.code;
    throw error;
  }
}

test('random bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      assert.is.not(await outcome(bytes), 'imported');
    }),
    { seed, numRuns: runs },
  );
});

test("random bytes after a ModelProto's first field", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      await outcome(Buffer.concat([Buffer.of(8, 8, 0x3a, Math.min(bytes.length, 127)), bytes]));
    }),
    { seed, numRuns: runs },
  );
});

test.run();
