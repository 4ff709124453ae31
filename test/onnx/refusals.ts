/** A test for each model that must be refused: with which error, saying what. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importModel } from '../../compiler/onnx/import.ts';
import { errorOf, type modelBytes, type workFolder } from './make.ts';

/** The import of a model of these parts fails with this code, and the printed error has this text. */
export const refusals =
  (work: ReturnType<typeof workFolder>) =>
  (what: string, parts: Parameters<typeof modelBytes>[0], code: string, text: RegExp): void =>
    test(what, async () => {
      const error = await errorOf(() => importModel(work.model(parts)));
      assert.is(error.code, code, error.format());
      assert.match(error.format(), text);
      assert.match(error.format(), /model\.onnx/);
      assert.not.match(error.format(), /onnxruntime_src|\.cc:|\[with/);
      assert.ok(error.context.hint);
    });
