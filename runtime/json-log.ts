/** A device's log as JSON, one object a line on stderr. Loaded when asked for. */
import { destination, pino, stdTimeFunctions } from 'pino';
import type { Level, Log } from './log.ts';
import type { DeviceManifest } from './manifest.ts';

export function jsonLog({ device, build }: DeviceManifest, level: Level): Log {
  const options = {
    level,
    base: { device, build: build.slice(0, 12) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // At once: the last lines before an end tell most.
  const logger = pino(options, destination({ dest: 2, sync: true }));
  return (of, code, message, fields) => logger[of]({ code, ...fields }, message);
}
