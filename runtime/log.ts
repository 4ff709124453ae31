/** What a device tells of its work beside its results. */

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export interface LogFields {
  readonly inference?: number;
  readonly peer?: string;
}

/** @param code stable, kebab-case, as errors have it */
export type Log = (level: Level, code: string, message: string, fields?: LogFields) => void;

export const silent: Log = () => {};
