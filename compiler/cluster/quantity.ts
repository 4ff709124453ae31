/** Fields of a cluster file that are quantities: read with their unit, and refused where no machine has them. */
import { z } from 'zod';
import { type Measure, parseQuantity, quantityPattern } from './units.ts';

/** Known to be right: limits are written in the code. */
function limit(text: string, measure: Measure): number {
  const value = parseQuantity(text, measure);
  if (typeof value === 'string') throw new Error(value);
  return value;
}

/** What is wrong with a value, if anything. */
function outside(value: number, least: number, most: number): 'zero' | 'small' | 'large' | undefined {
  if (value < 0 || (value === 0 && least > 0)) return 'zero';
  if (value < least) return 'small';
  return value > most ? 'large' : undefined;
}

/**
 * A number with its unit, as bytes, seconds, watts, joules or their quotients.
 * @param least written with its unit; `0 s` allows zero
 * @param most a typing error is likelier than anything above
 */
export const quantity = (measure: Measure, least: string, most: string) =>
  z
    // Numbers too, so that a missing unit is told as such.
    .custom<string | number>(
      (given) => typeof given === 'string' || typeof given === 'number',
      'a number with its unit is expected',
    )
    .meta({ type: 'string', pattern: quantityPattern(measure) })
    .transform((given, context): number => {
      const value = parseQuantity(String(given), measure);
      const add = (message: string) => {
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      };
      if (typeof value === 'string') return add(value);
      const from = limit(least, measure);
      switch (outside(value, from, limit(most, measure))) {
        case 'zero':
          return add(`"${given}" must be ${from > 0 ? 'above' : 'at least'} zero`);
        case 'small':
          return add(`"${given}" is too small, the least is ${least}`);
        case 'large':
          return add(`"${given}" is too large, the most is ${most}`);
        case undefined:
          return value;
      }
    });
