/** Manifests of a build: a StatefulSet for each device that serves, a Job for the one that starts inferences. */
import { stringify } from 'yaml';
import { type Deployed, type DeployedDevice, environment, HTTP_PORT, image, memoryLimit } from './deployment.ts';

/** The image's user `node`. */
const USER = 1000;

const labels = ({ name }: DeployedDevice) => ({
  'app.kubernetes.io/part-of': 'shardonnx',
  'app.kubernetes.io/component': name,
});

const probe = (path: string) => ({ httpGet: { path, port: 'http' }, periodSeconds: 10, timeoutSeconds: 5 });

function container(own: DeployedDevice, all: Deployed) {
  const limit = memoryLimit(own);
  const settings = { ...environment(own), ...(own.starts && { SHARDONNX_OUTPUT: '/data/out' }) };
  return {
    name: own.name,
    image: image(own, all),
    ...(own.data.length > 0 && { args: own.data }),
    env: Object.entries(settings).map(([name, value]) => ({ name, value })),
    ports: [
      { name: 'http', containerPort: HTTP_PORT },
      ...(own.listens ? [{ name: 'shards', containerPort: own.port }] : []),
    ],
    // Checking files and loading segments comes first.
    startupProbe: { ...probe('/healthz'), failureThreshold: 30 },
    livenessProbe: { ...probe('/healthz'), failureThreshold: 6 },
    readinessProbe: probe('/readyz'),
    ...(limit !== undefined && { resources: { limits: { memory: String(limit) } } }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'keys', mountPath: '/keys', readOnly: true },
      ...(own.starts ? [{ name: 'data', mountPath: '/data' }] : []),
    ],
  };
}

const pod = (own: DeployedDevice, all: Deployed) => ({
  metadata: { labels: labels(own) },
  spec: {
    ...(own.starts && { restartPolicy: 'OnFailure' }),
    automountServiceAccountToken: false,
    // Variables of services could be taken for settings.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 60,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(own, all)],
    volumes: [
      { name: 'keys', secret: { secretName: `${own.name}-keys`, defaultMode: 0o440 } },
      ...(own.starts ? [{ name: 'data', persistentVolumeClaim: { claimName: `${own.name}-data` } }] : []),
    ],
  },
});

function workload(own: DeployedDevice, all: Deployed) {
  const metadata = { name: own.name, labels: labels(own) };
  if (own.starts) {
    return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { backoffLimit: 3, template: pod(own, all) } };
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    // One of each: a device holds its own part of the model.
    spec: { replicas: 1, serviceName: own.name, selector: { matchLabels: labels(own) }, template: pod(own, all) },
  };
}

/** Peers must find a device before it is ready: it becomes so when they have come. */
const service = (own: DeployedDevice) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: own.name, labels: labels(own) },
  spec: {
    clusterIP: 'None',
    publishNotReadyAddresses: true,
    selector: labels(own),
    ports: [
      { name: 'shards', port: own.port, targetPort: own.port },
      { name: 'http', port: HTTP_PORT, targetPort: HTTP_PORT },
    ],
  },
});

const makeSecret = ({ name, device }: DeployedDevice) =>
  `# kubectl create secret generic ${name}-keys --from-file=keys/public.json --from-file=keys/${device}.secret.json\n`;

export function kubernetes(all: Deployed): string {
  const documents = all.devices.flatMap((own) => [service(own), workload(own, all)]);
  const starting = all.devices.filter(({ starts }) => starts);
  const data = starting.map(({ name }) => `# The inputs are read from the volume of claim ${name}-data.\n`);
  const head = [`# ${all.model}, build ${all.build.slice(0, 12)}\n`, ...all.devices.map(makeSecret), ...data].join('');
  return head + documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
}
