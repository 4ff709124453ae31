/** Errors that a test expects. */
import * as assert from 'uvu/assert';
import { ShardonnxError } from '../../runtime/error.ts';

/** The error of this code that `act` throws or rejects with; anything else that is thrown is thrown on. */
export async function errorOf(code: string, act: () => unknown): Promise<ShardonnxError> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ShardonnxError)) throw error;
    assert.is(error.code, code, error.format());
    return error;
  }
  throw new Error(`nothing was thrown, ${code} is expected`);
}

/** The error of this code that work which is under way rejects with. */
export const rejection = (work: Promise<unknown>, code: string): Promise<ShardonnxError> => errorOf(code, () => work);
