/** Failures that a test expects. */
import * as assert from 'uvu/assert';
import { ShardonnxError } from '../../runtime/error.ts';

/** The error of this code that `act` throws. */
export function code(act: () => unknown, expected: string): ShardonnxError {
  try {
    act();
  } catch (error) {
    return checked(error, expected);
  }
  return checked(undefined, expected);
}

/** The error of this code that `work` rejects with. */
export async function rejection(work: Promise<unknown>, expected: string): Promise<ShardonnxError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return checked(error, expected);
}

function checked(error: unknown, expected: string): ShardonnxError {
  if (!(error instanceof ShardonnxError)) throw error ?? new Error(`nothing was thrown, ${expected} is expected`);
  assert.is(error.code, expected, error.format());
  return error;
}
