/** What a device tells of its work beside its results: lines for people, or JSON for machines. */
import type { DeviceManifest } from './manifest.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export interface LogFields {
  readonly inference?: number;
  /** In JSON an error's places and hint. */
  readonly at?: readonly string[] | undefined;
  readonly hint?: string | undefined;
  readonly ms?: number;
}

/** @param code stable, kebab-case, as errors have it */
export type Log = (level: Level, code: string, message: string, fields?: LogFields) => void;

export const silent: Log = () => {};

/** Progress on stdout, or on stderr where stdout is for JSON; what is wrong on stderr. */
export function textLog({ device }: DeviceManifest, least: Level, { json }: { readonly json: boolean }): Log {
  return (level, code, message, { inference, at = [], hint } = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    if (level === 'debug' || level === 'info') {
      (json ? console.error : console.log)(`${device}: ${message}`);
      return;
    }
    const places = at.map((place) => `\n  at ${place}`).join('');
    const of = level === 'warn' ? `${device}: ` : inference === undefined ? '' : `inference ${inference}: `;
    console.error(`${of}${code}: ${message}${places}${hint === undefined ? '' : `\n  ${hint}`}`);
  };
}
