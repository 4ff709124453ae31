/** Errors a user can mend, thrown while compiling. Anything else thrown is our bug and is not caught. */
import { ShardonnxError } from '../runtime/error.ts';

export class CompileError extends ShardonnxError {}
