/** How the authors' predictions turn bandwidth into time: fitted to the rows in which everything crosses the link. */
import type { Predicted } from './results.ts';

export interface Fit {
  readonly environment: string;
  readonly method: string;
  readonly rows: number;
  /** Milliseconds without the link: what the server computes. */
  readonly fixed: number;
  /** Kilobytes that cross a link of the nominal bandwidth. */
  readonly kilobytes: number;
  /** Milliseconds; predictions are rounded to 0.1. */
  readonly worst: number;
}

/** ms = fixed + kilobytes / bandwidth, by least squares. */
function fitLine(rows: readonly Predicted[]): Pick<Fit, 'fixed' | 'kilobytes' | 'worst'> {
  const mean = (of: (row: Predicted) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const [x, y] = [mean((row) => 1 / row.bandwidth), mean((row) => row.ms)];
  const kilobytes = mean((row) => (1 / row.bandwidth - x) * row.ms) / mean((row) => (1 / row.bandwidth - x) ** 2);
  const fixed = y - kilobytes * x;
  const worst = Math.max(...rows.map((row) => Math.abs(fixed + kilobytes / row.bandwidth - row.ms)));
  return { fixed, kilobytes, worst };
}

/** One fit an environment and method that has at least three rows in which all `payload` bytes crossed. */
export function fitLinks(predicted: readonly Predicted[], payload: number): Fit[] {
  const whole = predicted.filter(({ bandwidth, moved }) => bandwidth > 0 && moved * 1e6 >= payload);
  const keys = [...new Set(whole.map(({ environment, method }) => `${method}\n${environment}`))];
  return keys.flatMap((key): Fit[] => {
    const [method = '', environment = ''] = key.split('\n');
    const rows = whole.filter((row) => row.method === method && row.environment === environment);
    return rows.length < 3 ? [] : [{ environment, method, rows: rows.length, ...fitLine(rows) }];
  });
}

/** Share of the nominal bandwidth that carries the payload in a method's predictions, over environments; undefined: no fit. */
export function goodputOf(fits: readonly Fit[], method: string, payload: number): number | undefined {
  const own = fits.filter((fit) => fit.method === method);
  if (own.length === 0) return undefined;
  return (
    payload /
    1000 /
    (own.reduce((sum, fit) => sum + fit.kilobytes * fit.rows, 0) / own.reduce((sum, fit) => sum + fit.rows, 0))
  );
}
