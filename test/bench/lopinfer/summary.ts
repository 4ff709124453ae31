/** Rows averaged over the time the link has each bandwidth, beside the authors' predictions, and what ours promises. */
import { DROPPED, LAYER_CUT, type Method, type Outcome } from './methods.ts';
import type { Replay, Row } from './replay.ts';
import { meanOver } from './results.ts';

export interface Summary {
  readonly environment: string;
  readonly method: string;
  readonly ms: number;
  /** Share of the best layer cut's time that is saved; below 0: slower. */
  readonly saved: number;
  /** Millijoules of the robot's board; NaN where its power is not known. */
  readonly mJ: number;
  readonly savedEnergy: number;
  /** 10^6 bytes. */
  readonly MB: number;
  /** Milliseconds; NaN without one. */
  readonly bound: number;
}

/** Their methods whose predictions stand beside ours. */
export const PUBLISHED: readonly string[] = ['DSCCS', 'LOPInfer'];

type Line = Omit<Summary, 'saved' | 'savedEnergy'>;

function ourLines(
  rows: readonly Row[],
  methods: readonly Method[],
  environment: string,
  shares: Map<number, number>,
): Line[] {
  return methods.map(({ name }) => {
    const mean = (of: (outcome: Outcome) => number | undefined) =>
      meanOver(shares, (bandwidth) => {
        const outcome = rows.find((row) => row.bandwidth === bandwidth)?.outcomes.get(name);
        return outcome && Number.isFinite(outcome.seconds) ? of(outcome) : undefined;
      });
    return {
      environment,
      method: name,
      ms: mean(({ seconds }) => seconds * 1000),
      mJ: mean(({ joules }) => joules * 1000),
      MB: mean(({ bytes }) => bytes / 1e6),
      bound: mean(({ bound }) => bound && bound * 1000),
    };
  });
}

/** Their own predictions, over the same shares of time; their energy is the mean power measured in that run. */
function theirLines({ predicted, powers }: Replay, environment: string, shares: Map<number, number>): Line[] {
  return PUBLISHED.flatMap((method): Line[] => {
    const own = predicted.filter((row) => row.environment === environment && row.method === method);
    if (own.length === 0) return [];
    const at = (bandwidth: number) => own.find((row) => row.bandwidth === bandwidth);
    const watts = powers.find((power) => power.environment === environment && power.method === method)?.watts;
    const ms = meanOver(shares, (bandwidth) => at(bandwidth)?.ms);
    const MB = meanOver(shares, (bandwidth) => at(bandwidth)?.moved);
    return [
      {
        environment,
        method: `${method}, predicted by its authors`,
        ms,
        mJ: ms * (watts ?? Number.NaN),
        MB,
        bound: Number.NaN,
      },
    ];
  });
}

/** A line a method and environment. */
export function summarise(replay: Replay, rows: readonly Row[], methods: readonly Method[]): Summary[] {
  return [...replay.distribution].flatMap(([environment, given]) => {
    const shares = new Map(given);
    const lines = [...ourLines(rows, methods, environment, shares), ...theirLines(replay, environment, shares)];
    const cut = lines.find(({ method }) => method === LAYER_CUT)!;
    return lines.map((line) => ({ ...line, saved: 1 - line.ms / cut.ms, savedEnergy: 1 - line.mJ / cut.mJ }));
  });
}

export interface Kept {
  /** It holds on any log, or we have a bug. */
  readonly isCertain: boolean;
  readonly promise: string;
  readonly kept: number;
  readonly of: number;
  /** What breaks it, a text a case. */
  readonly broken: readonly string[];
}

/** Ours exact is never slower than a baseline; with the halo dropped it is below LOPInfer's predictions. Nothing where ours is not run. */
export function promises({ flow, predicted }: Replay, rows: readonly Row[], methods: readonly Method[]): Kept[] {
  const exact = methods.filter(({ kind, options }) => kind === 'ours' && options.halo === 'exact');
  const bases = methods.filter(({ kind }) => kind === 'baseline');
  const pairs = rows.flatMap(({ bandwidth, outcomes }) =>
    exact.flatMap(({ name }) => bases.map((base) => ({ bandwidth, name, base: base.name, outcomes }))),
  );
  const seconds = (outcomes: Row['outcomes'], name: string) => outcomes.get(name)!.seconds;
  const slower = pairs.filter(
    ({ outcomes, name, base }) => seconds(outcomes, name) > seconds(outcomes, base) * (1 + 1e-9),
  );
  const theirs = predicted.filter(({ method }) => method === 'LOPInfer');
  const dropped = theirs.flatMap(({ bandwidth, environment, ms }) => {
    const ours = rows.find((row) => row.bandwidth === bandwidth)?.outcomes.get(DROPPED);
    // Without a link all that is compared is two measurements of the same board.
    return ours && bandwidth > 0 ? [{ bandwidth, environment, ms, ours: ours.seconds }] : [];
  });
  const above = dropped.filter(({ ms, ours }) => ours >= ms / 1000);
  const all: Kept[] = [
    {
      promise: `${flow.model}: exact is never slower than a baseline`,
      isCertain: true,
      kept: pairs.length - slower.length,
      of: pairs.length,
      broken: slower.map(({ bandwidth, name, base }) => `${bandwidth} MB/s: ${name} against ${base}`),
    },
    {
      promise: `${flow.model}: ${DROPPED} is below LOPInfer's own predictions`,
      isCertain: false,
      kept: dropped.length - above.length,
      of: dropped.length,
      broken: above.map(
        (row) => `${row.environment}, ${row.bandwidth} MB/s: ${(row.ours * 1000).toFixed(1)} against ${row.ms} ms`,
      ),
    },
  ];
  return all.filter((one) => one.of > 0);
}
