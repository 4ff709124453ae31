/** Reads plans. */
import { readFile } from 'node:fs/promises';
import { CompileError } from '../error.ts';
import { type Plan, parsePlan } from '../planning/plan.ts';

/** @throws plan */
export async function readPlan(file: string): Promise<Plan> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new CompileError('plan', `cannot read ${file}: ${cause.message}`, {
      cause,
      hint: 'give a plan file with --plan',
    });
  });
  return parsePlan(text, file);
}
