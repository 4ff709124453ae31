/** Loads a user's pass: a TypeScript or JavaScript file whose default export is made with definePass. */
import { randomBytes } from 'node:crypto';
import { access, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { z } from 'zod';
import { ShardonnxError } from '../../runtime/error.ts';
import { CompileError } from '../error.ts';
import { type Program, stages } from '../ir/program.ts';
import type { UserPass } from '../pass.ts';

/** This package's own entry, whichever way it runs: the user's `shardonnx` must be the one that is compiling. */
const self: Plugin = {
  name: 'shardonnx',
  setup(builder) {
    const entry = new URL(`../index${extname(fileURLToPath(import.meta.url))}`, import.meta.url).href;
    builder.onResolve({ filter: /^shardonnx$/ }, () => ({ path: entry, external: true }));
  },
};

const shape = z.object({
  name: z.string().min(1),
  from: z.enum(stages),
  to: z.enum(stages),
  run: z.custom<UserPass['run']>((value) => typeof value === 'function', 'a function'),
});

const returned = z.object({ stage: z.enum(stages), tensors: z.instanceof(Map), operators: z.array(z.object()) });

const passError = (file: string, message: string, cause?: unknown) =>
  new CompileError('pass', message, {
    at: [`--pass ${file}`],
    hint: 'export default definePass({ name, stage, run }); the README has a complete example',
    cause,
  });

const esbuildFailure = z.object({
  errors: z
    .array(z.object({ text: z.string(), location: z.object({ file: z.string(), line: z.number() }).nullable() }))
    .min(1),
});

/** In one line. */
function whatFailed(cause: unknown): string {
  const failure = esbuildFailure.safeParse(cause);
  if (!failure.success) return cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
  const { text, location } = failure.data.errors[0]!;
  return location ? `${location.file}:${location.line}: ${text}` : text;
}

/** What a pass refuses for reasons of its own. */
const refusedBy = ({ name }: UserPass, { code, message, context }: ShardonnxError) =>
  new CompileError(code, message, { ...context, at: [`pass ${name}`, ...(context.at ?? [])] });

/** The pass, with the file named in what goes wrong inside it. @throws pass */
function guarded(file: string, pass: UserPass): UserPass {
  const run = (...given: Parameters<UserPass['run']>): Program => {
    let result: unknown;
    try {
      // The type of `run` is a union over stages: which of them it is, `compile` has seen to.
      result = (pass.run as (...given: unknown[]) => unknown)(...given);
    } catch (cause) {
      if (cause instanceof ShardonnxError) throw refusedBy(pass, cause);
      throw passError(file, `${pass.name} threw: ${cause instanceof Error ? cause.message : cause}`, cause);
    }
    const parsed = returned.safeParse(result);
    if (!parsed.success) {
      const what = result instanceof Promise ? 'a promise; it must not be async' : 'no program';
      throw passError(file, `${pass.name} returned ${what}`);
    }
    if (parsed.data.stage !== pass.to) {
      throw passError(file, `${pass.name} returned a program of stage ${parsed.data.stage}, ${pass.to} is expected`);
    }
    return result as Program;
  };
  return { ...pass, run } as UserPass;
}

/** @throws pass */
export async function loadPass(file: string): Promise<UserPass> {
  const path = resolve(file);
  await access(path).catch((cause) => {
    throw passError(file, 'cannot be read', cause);
  });
  const compiled = join(tmpdir(), `shardonnx-pass-${randomBytes(6).toString('hex')}.mjs`);
  try {
    const options = {
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'silent',
    } as const;
    const { outputFiles } = await build({ ...options, entryPoints: [path], plugins: [self] });
    await writeFile(compiled, outputFiles[0]!.text);
    const { default: pass }: { default: unknown } = await import(pathToFileURL(compiled).href);
    const parsed = shape.safeParse(pass);
    if (!parsed.success) throw passError(file, 'its default export is no pass');
    if (parsed.data.from !== parsed.data.to) throw passError(file, 'it must leave the program in the stage it takes');
    return guarded(file, parsed.data as UserPass);
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw passError(file, whatFailed(cause), cause);
  } finally {
    await rm(compiled, { force: true });
  }
}
