/** What a device has done, as Prometheus reads it. Loaded when there is a port to ask at. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OpenDevice } from './behaviour.ts';
import type { DeviceManifest } from './manifest.ts';
import type { DeviceStats } from './stats.ts';

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface Metrics {
  readonly registry: Registry;
  /** Of this device's share of an inference. */
  inference(seconds: number): void;
  error(code: string): void;
}

/** @param opened null as long as it waits for its peers */
export function metrics(manifest: DeviceManifest, opened: () => OpenDevice | null): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ device: manifest.device });
  const registers = [registry];
  const build = new Gauge({ name: 'shardonnx_build_info', help: 'the build in use', labelNames: ['build'], registers });
  build.set({ build: manifest.build }, 1);
  const latency = new Histogram({
    name: 'shardonnx_inference_seconds',
    help: "this device's share of an inference",
    buckets: BUCKETS,
    registers,
  });
  const errors = new Counter({ name: 'shardonnx_errors_total', help: 'by code', labelNames: ['code'], registers });

  /** Read from the device's statistics when asked for. */
  const read = (kind: 'gauge' | 'counter', name: string, help: string, value: (stats: DeviceStats) => number) => {
    const Kind = kind === 'gauge' ? Gauge : Counter;
    const metric = new Kind({
      name: `shardonnx_${name}`,
      help,
      registers,
      collect() {
        const device = opened();
        metric.reset();
        if (device) metric.inc(value(device.stats()));
      },
    });
  };
  read('counter', 'sent_bytes_total', 'tensors sent to peers', ({ bytesSent }) => bytesSent);
  read('counter', 'received_bytes_total', 'tensors received from peers', ({ bytesReceived }) => bytesReceived);
  read('counter', 'dropped_frames_total', 'of strangers, broken, or too late', ({ framesDropped }) => framesDropped);
  read('counter', 'waited_seconds_total', 'waited for tensors', ({ waitedMs }) => waitedMs / 1000);
  read('counter', 'repeated_total', 'inferences repeated on the plan that needs no peer', ({ repeated }) => repeated);
  read('gauge', 'inferences_in_flight', 'begun and not ended', ({ inFlight }) => inFlight);
  new Gauge({
    name: 'shardonnx_plan_in_use',
    help: '1: the plan of the latest inference',
    labelNames: ['plan'],
    registers,
    collect() {
      this.reset();
      const { plan, plans = {} } = opened()?.stats() ?? {};
      for (const name of new Set([...Object.keys(plans), ...(plan ? [plan] : [])])) {
        this.set({ plan: name }, name === plan ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'shardonnx_link_bytes_per_second',
    help: 'estimated, of the slowest link; absent where nothing large has crossed',
    registers,
    collect() {
      this.reset();
      const bandwidth = opened()?.stats().bandwidth;
      if (bandwidth != null) this.set(bandwidth);
      else this.remove();
    },
  });
  new Gauge({
    name: 'shardonnx_peer_up',
    help: '1: has shaken hands and is there',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const [peer, there] of Object.entries(opened()?.peers() ?? {})) this.set({ peer }, there ? 1 : 0);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'memory of the process',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  return {
    registry,
    inference: (seconds) => latency.observe(seconds),
    error: (code) => errors.inc({ code }),
  };
}
