/** All devices of a build as one compose project. */
import { stringify } from 'yaml';
import { type Deployed, type DeployedDevice, environment, HTTP_PORT, image, memoryLimit } from './deployment.ts';

const HEALTHY = `fetch('http://127.0.0.1:${HTTP_PORT}/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;

function service(own: DeployedDevice, all: Deployed) {
  const limit = memoryLimit(own);
  return {
    image: image(own, all),
    build: { context: '..', dockerfile: `deploy/${own.device}.Containerfile` },
    // Of whom the key files are: nobody else may read them.
    user: `\${OWNER:-1000:1000}`,
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    environment: { ...environment(own), ...(own.starts && { SHARDONNX_OUTPUT: '/data/out' }) },
    ...(own.data.length > 0 && { command: own.data }),
    secrets: [
      { source: 'public', target: '/keys/public.json' },
      { source: `${own.name}-secret`, target: `/keys/${own.device}.secret.json` },
    ],
    ...(own.starts && { volumes: [`\${DATA:?folder of the inputs}:/data`] }),
    ...(own.later.length > 0 && { depends_on: own.later.map(({ name }) => name) }),
    ...(limit !== undefined && { mem_limit: limit }),
    healthcheck: { test: ['CMD', 'node', '-e', HEALTHY], interval: '10s', timeout: '5s', start_period: '60s' },
    stop_grace_period: '60s',
    restart: own.starts ? 'on-failure' : 'unless-stopped',
  };
}

export function compose(all: Deployed): string {
  const keys = `\${KEYS:?folder that shardonnx keys made}`;
  const project = {
    services: Object.fromEntries(all.devices.map((own) => [own.name, service(own, all)])),
    secrets: {
      public: { file: `${keys}/public.json` },
      ...Object.fromEntries(
        all.devices.map(({ name, device }) => [`${name}-secret`, { file: `${keys}/${device}.secret.json` }]),
      ),
    },
  };
  const usage =
    ' KEYS=$PWD/keys DATA=$PWD/data OWNER=$(id -u):$(id -g) docker compose -p shardonnx -f build/deploy/compose.yaml up --build';
  return `# ${all.model}, build ${all.build.slice(0, 12)}\n#${usage}\n${stringify(project, { lineWidth: 0 })}`;
}
