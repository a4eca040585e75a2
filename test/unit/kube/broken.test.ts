// SPDX-License-Identifier: Apache-2.0
// Broken manifests are rejected with the path of the field and a remedy.
import { expect, test } from 'vitest'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import { changed, valid } from './objects.ts'

const read = (text: string, version = '1.33') => readManifest(text, makeKubelet({ version, settings: [] })).problems
const c = 'spec.containers[0]'
const t = 'spec.template.spec'

/** Kind, path, new value; then what is reported: the path if it is another one, and words of the remedy. */
const rows: [kind: string, path: string, value: unknown, remedy: RegExp, reported?: string, version?: string][] = [
  ['Pod', 'apiVersion', undefined, /add apiVersion/],
  ['Pod', 'apiVersion', 'v2', /write apiVersion: v1/],
  ['Deployment', 'apiVersion', 'extensions/v1beta1', /write apiVersion: apps\/v1/],
  ['Pod', 'kind', undefined, /add kind/],
  ['Deployment', 'kind', 'Deploymnet', /write Deployment/],
  ['Pod', 'metadata', undefined, /add metadata/],
  ['Pod', 'metadata.name', undefined, /add name/],
  ['Pod', 'metadata.name', 'My_App', /write my-app/],
  ['CronJob', 'metadata.name', 'n'.repeat(53), /write n{52}$/],
  ['Pod', 'metadata.namespace', 'Shop', /write shop/],
  ['Pod', 'metadata.labels', { version: 1.5 }, /"1\.5"/, 'metadata.labels.version'],
  ['Pod', 'metadata.labels', { version: 'a b' }, /at most 63 letters/, 'metadata.labels.version'],
  ['Pod', 'metadata.labels', { 'a b': 'c' }, /NAME or DOMAIN/, 'metadata.labels[a b]'],
  ['Pod', 'spec', undefined, /add spec/],
  ['Pod', 'spec.containers', undefined, /add containers/],
  ['Pod', 'spec.containers', [], /add one/],
  ['Pod', 'spec.containers', { name: 'web' }, /lines that begin with "- "/],
  ['Pod', 'spec.container', [], /write containers/],
  ['Pod', `${c}.name`, undefined, /add name/],
  ['Pod', `${c}.name`, 'Web_1', /write web-1/],
  ['Pod', `${c}.name`, 'init', /give each entry another/],
  ['Pod', `${c}.image`, undefined, /add image/],
  ['Pod', `${c}.image`, ' web:1', /name of an image/],
  ['Pod', `${c}.imagePullPolicy`, 'always', /write Always/],
  ['Pod', `${c}.comand`, ['a'], /write command/],
  ['Pod', `${c}.command`, 'run.sh', /write a list/],
  ['Pod', `${c}.args`, [1], /quotes around it: "1"/, `${c}.args[0]`],
  ['Pod', `${c}.resources.limits.memory`, '512MB', /such as 512M$/],
  ['Pod', `${c}.resources.limits.memory`, '1gb', /such as 1Gi/],
  ['Pod', `${c}.resources.limits.memory`, '1 Gi', /quantity/],
  ['Pod', `${c}.resources.limits.memory`, '32Mi', /raise limits.memory/, `${c}.resources.requests.memory`],
  ['Pod', `${c}.resources.limits.memory`, '-1Gi', /at least 0/],
  ['Pod', `${c}.resources.requests.cpu`, '2', /raise limits.cpu/],
  ['Pod', `${c}.resources.requests.cpu`, '0.0001', /at least 1m/],
  ['Pod', `${c}.resources.requests.mem`, '64Mi', /write memory/],
  ['Pod', `${c}.resources.limits.CPU`, '1', /write cpu/],
  ['Pod', `${c}.resources.limits.gpu`, '1', /DOMAIN\/NAME/],
  ['Pod', `${c}.resources.limits`, ['cpu'], /write a map/],
  ['Pod', `${c}.resources.limit`, {}, /write limits/],
  ['Pod', `${c}.resources.requests.hugepages-2Mi`, '4Mi', /limits.hugepages-2Mi/],
  ['Pod', `${c}.resources.limits.hugepages-2Mi`, '3Mi', /whole number of pages/],
  [
    'Pod',
    `${c}.resources`,
    { limits: { 'hugepages-2Mi': '4Mi' } },
    /request of cpu or memory/,
    `${c}.resources.limits.hugepages-2Mi`,
  ],
  ['Pod', `${c}.resources.limits['nvidia.com/gpu]`, '0.5', /whole number of devices/],
  ['Pod', `${c}.resources.requests.hugepages-big`, '4Mi', /hugepages-2Mi or/],
  ['Pod', `${c}.ports[0].containerPort`, 70_000, /from 1 to 65535/],
  ['Pod', `${c}.ports[0].containerPort`, '8080', /without quotes/],
  ['Pod', `${c}.ports[0].name`, 'HTTP_PORT', /at most 15/],
  ['Pod', `${c}.ports[1]`, { name: 'http', containerPort: 1 }, /give each entry another/, `${c}.ports[1].name`],
  ['Pod', `${c}.ports[0].protocol`, 'tcp', /write TCP/],
  ['Pod', `${c}.env[0].name`, 'A=B', /such as LOG_LEVEL/],
  ['Pod', `${c}.env[0].value`, 5, /quotes around it: "5"/],
  ['Pod', `${c}.env[0].value`, true, /quotes around it: "true"/],
  ['Pod', `${c}.env[0].valueFrom`, { fieldRef: { fieldPath: 'metadata.name' } }, /keep one/],
  ['Pod', `${c}.volumeMounts[0].name`, 'dta', /add it to volumes/],
  ['Pod', `${c}.volumeMounts[0].mountPath`, undefined, /add mountPath/],
  [
    'Pod',
    `${c}.volumeMounts[1]`,
    { name: 'data', mountPath: '/data' },
    /give each entry another/,
    `${c}.volumeMounts[1].mountPath`,
  ],
  ['Pod', `${c}.volumeMounts[0].subPath`, '../x', /relative path/],
  ['Pod', `${c}.livenessProbe`, { periodSeconds: 5 }, /exec, httpGet/],
  ['Pod', `${c}.livenessProbe.tcpSocket`, { port: 1 }, /keep one/, `${c}.livenessProbe`],
  ['Pod', `${c}.livenessProbe.periodSeconds`, 0, /at least 1/],
  ['Pod', `${c}.livenessProbe.successThreshold`, 2, /write 1/],
  ['Pod', `${c}.securityContext.runAsUser`, -1, /at least 0/],
  ['Pod', `${c}.securityContext.runAsNonRoot`, 'true', /without quotes/],
  [
    'Pod',
    `${c}.securityContext`,
    { privileged: true, allowPrivilegeEscalation: false },
    /remove privileged/,
    `${c}.securityContext.allowPrivilegeEscalation`,
  ],
  ['Pod', `${c}.restartPolicy`, 'Always', /in the spec of the pod/],
  [
    'Pod',
    `${c}.resizePolicy`,
    [{ resourceName: 'cpu', restartPolicy: 'Never' }],
    /NotRequired/,
    `${c}.resizePolicy[0].restartPolicy`,
  ],
  ['Pod', 'spec.initContainers[0].restartPolicy', 'OnFailure', /Always for a sidecar/],
  ['Pod', 'spec.initContainers[0].livenessProbe', { exec: { command: ['a'] } }, /restartPolicy: Always/],
  ['Pod', 'spec.restartPolicy', 'OnError', /Always, OnFailure, Never/],
  ['Pod', 'spec.volumes[1]', { name: 'data', emptyDir: {} }, /give each entry another/, 'spec.volumes[1].name'],
  ['Pod', 'spec.volumes[0].emptyDir.medium', 'RAM', /give Memory/],
  ['Pod', 'spec.volumes[0].hostPath', { path: '/x' }, /keep one/, 'spec.volumes[0]'],
  ['Pod', 'spec.terminationGracePeriodSeconds', -5, /at least 0/],
  ['Pod', 'spec.activeDeadlineSeconds', 0, /at least 1/],
  ['Pod', 'spec.dnsPolicy', 'None', /add dnsConfig/],
  ['Pod', 'spec.overhead', { cpu: '1' }, /name the RuntimeClass/],
  ['Pod', 'spec.ephemeralContainers', [], /kubectl debug/],
  [
    'Pod',
    'spec.tolerations',
    [{ operator: 'Exists', key: 'a', value: 'b' }],
    /operator Equal/,
    'spec.tolerations[0].value',
  ],
  ['Pod', 'spec.tolerations', [{ value: 'b' }], /add a key/, 'spec.tolerations[0].operator'],
  ['Pod', 'spec.priority', 5, /the API server sets it/],
  ['Pod', 'spec.hostNetwork', 'yes', /true or false/],
  ['Pod', 'spec.replicas', 3, /remove it/],
  ['Pod', 'spec.resources', { requests: { cpu: '100m' } }, /raise it, or lower/, 'spec.resources.requests.cpu', '1.34'],
  [
    'Pod',
    'spec.resources',
    { limits: { cpu: '500m', memory: '1Gi' } },
    /raise spec.resources.limits/,
    `${c}.resources.limits.cpu`,
    '1.34',
  ],
  [
    'Pod',
    'spec.resources',
    { limits: { 'ephemeral-storage': '1Gi' } },
    /resources of a container/,
    'spec.resources.limits.ephemeral-storage',
    '1.34',
  ],
  ['Deployment', 'spec.selector', undefined, /add selector/],
  ['Deployment', 'spec.selector', {}, /add matchLabels/],
  ['Deployment', 'spec.selector.matchLabels.app', 'shop', /template.metadata.labels/],
  ['Deployment', 'spec.template', undefined, /add template/],
  ['Deployment', 'spec.replicas', -1, /at least 0/],
  ['Deployment', 'spec.replicas', '3', /write 3 without quotes/],
  ['Deployment', `${t}.restartPolicy`, 'Never', /or use a Job/],
  ['Deployment', 'spec.strategy', { type: 'Recreate', rollingUpdate: {} }, /remove it/, 'spec.strategy.rollingUpdate'],
  [
    'Deployment',
    'spec.strategy',
    { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } },
    /more than 0/,
    'spec.strategy.rollingUpdate.maxUnavailable',
  ],
  ['Deployment', 'spec.progressDeadlineSeconds', 0, /raise it/],
  ['StatefulSet', 'spec.podManagementPolicy', 'Ordered', /OrderedReady, Parallel/],
  ['Job', `${t}.restartPolicy`, undefined, /write OnFailure or Never/],
  ['Job', 'spec.completionMode', 'Indexed', /add completions/, 'spec.completions'],
  ['Job', 'spec.selector', { matchLabels: { a: 'b' } }, /remove it/],
  ['Job', 'spec.parallelism', 1.5, /whole number/],
  ['CronJob', 'spec.schedule', undefined, /add schedule/],
  ['CronJob', 'spec.schedule', '* * * *', /MINUTE HOUR/],
  ['CronJob', 'spec.schedule', '61 * * * *', /from 0 to 59/],
  ['CronJob', 'spec.schedule', 'TZ=UTC * * * * *', /spec.timeZone/],
  ['CronJob', 'spec.concurrencyPolicy', 'allow', /write Allow/],
  ['CronJob', 'spec.jobTemplate.spec.template.spec.restartPolicy', 'Always', /OnFailure or Never/],
  ['RuntimeClass', 'handler', undefined, /add handler/],
  ['PriorityClass', 'value', 'high', /whole number/],
]

test.for(rows)('%s with another %s: %j', ([kind, path, value, remedy, reported = path, version]) => {
  const key = path.replace("['nvidia.com/gpu]", '')
  const object =
    key === path
      ? changed(kind, path, value)
      : changed(kind, key, { cpu: '1', memory: '128Mi', 'nvidia.com/gpu': value })
  const problems = read(JSON.stringify(object), version).filter(({ severity }) => severity === 'error')
  const wanted = key === path ? reported : `${key}[nvidia.com/gpu]`
  expect(problems.map((problem) => problem.path)).toContain(wanted)
  expect(
    problems
      .filter((problem) => problem.path === wanted)
      .map((problem) => problem.remedy)
      .join('\n'),
  ).toMatch(remedy)
})

test('at least 60 manifests are broken', () => expect(rows.length).toBeGreaterThanOrEqual(60))

test('each object without a change has no problem', () => {
  for (const make of Object.values(valid)) expect(read(JSON.stringify(make()))).toEqual([])
})

test.for<[name: string, text: string, line: number, remedy: RegExp]>([
  ['a tab', 'apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n', 4, /indent with spaces/],
  ['a key that stands twice', 'apiVersion: v1\nkind: Pod\nkind: Job\n', 3, /keep one of them/],
  ['a list that is not closed', 'a: [1, 2\n', 2, /close each bracket/],
  ['a quote that is not closed', 'a: "b\n', 2, /close each quote/],
  ['an alias without its anchor', 'a: *b\n', 1, /values instead of aliases|correct the YAML/],
  ['a text', 'hello\n', 1, /begin with apiVersion/],
  ['an empty file', '# nothing\n', 1, /give a manifest/],
  ['a List without items', 'apiVersion: v1\nkind: List\n', 1, /items of a list/],
])('%s is reported with its line', ([, text, line, remedy]) => {
  const [problem] = read(text)
  expect(problem).toMatchObject({ severity: 'error', line, remedy: expect.stringMatching(remedy) })
})

const container = '{name: a, image: i}'
const podOf = (line: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - ${line}\n`

test.for<[name: string, text: string, what: RegExp, remedy: RegExp, line: number]>([
  ['a template of Helm', podOf('name: {{ .Values.name }}'), /template/, /helm template/, 6],
  ['a template with a condition', `{{- if .Values.on }}\n${podOf(container)}{{- end }}\n`, /template/, /helm/, 1],
  ['UTF-16', podOf(container).replace(/./g, '$&\0'), /not in UTF-8/, /iconv -f utf-16/, 1],
  ['another encoding', podOf('{name: a, image: "\ufffd"}'), /not in UTF-8/, /iconv -f latin1/, 6],
  ['a control character', podOf('{name: a, image: i\u0007}'), /control character/, /remove it/, 6],
  ['a truth value of YAML 1.1', podOf('{name: a, image: i, env: [{name: A, value: yes}]}'), /boolean/, /: "yes"$/, 6],
  ['an octal number', podOf('{name: a, image: i, env: [{name: A, value: 0644}]}'), /number 420,/, /: "0644"$/, 6],
  ['a value that contains itself', 'a: &a [*a]\n', /contains it/, /instead of aliases/, 1],
  ['an empty amount', podOf('{name: a, image: i, resources: {limits: {cpu: }}}'), /counts as 0/, /give an amount/, 6],
  ['not a number', podOf('{name: a, image: i, resources: {limits: {cpu: .nan}}}'), /number NaN/, /quantity/, 6],
  ['thousands of CPUs', podOf('{name: a, image: i, resources: {limits: {cpu: 500M}}}'), /CPUs/, /write 500m for/, 6],
  [
    'a part of a byte',
    podOf('{name: a, image: i, resources: {limits: {memory: 1.5}}}'),
    /1\.5 bytes/,
    /write 1\.5Gi/,
    6,
  ],
  [
    'thousandths of bytes',
    podOf('{name: a, image: i, resources: {limits: {memory: 512m}}}'),
    /0\.512/,
    /write 512Mi/,
    6,
  ],
  [
    'Kustomization',
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
    /other manifests/,
    /kustomize/,
    1,
  ],
])('%s is reported once, with what helps', ([, text, what, remedy, line]) => {
  const problems = read(text)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({
    line,
    what: expect.stringMatching(what),
    remedy: expect.stringMatching(remedy),
  })
})

test('aliases that multiply are refused quickly', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `a${i}: &a${i} [${Array(9)
        .fill(i === 0 ? 'x' : `*a${i - 1}`)
        .join(', ')}]`,
  )
  const [problem] = read(`${levels.join('\n')}\n`)
  expect(problem!.what).toMatch(/more than 1000 values/)
})

test('a problem has the line of its field, in each document of a file', () => {
  const pod = (name: string, memory: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec:\n  containers:\n  - name: a\n    image: i\n    resources:\n      limits:\n        memory: ${memory}\n`
  const problems = read(`${pod('a', '1GB')}---\n${pod('a', '64Mi')}---\n${pod('b', '1XB')}`)
  expect(problems.map(({ line, path, object }) => [line, path, object])).toEqual([
    [11, 'spec.containers[0].resources.limits.memory', 'Pod a'],
    [35, 'spec.containers[0].resources.limits.memory', 'Pod b'],
  ])
  expect(read(`${pod('a', '1Gi')}---\n${pod('a', '2Gi')}`)).toMatchObject([
    { path: 'metadata.name', line: 13, what: expect.stringContaining('line 1') },
  ])
})

test('what is probably mistaken is a warning', () => {
  const warned = (path: string, value: unknown) =>
    read(JSON.stringify(changed('Pod', path, value))).map((problem) => [problem.severity, problem.path])
  const limit = `${c}.resources`
  expect(warned(limit, { limits: { memory: '128m' } })).toEqual([['warning', `${limit}.limits.memory`]])
  expect(warned(limit, { limits: { memory: '512' } })).toEqual([['warning', `${limit}.limits.memory`]])
  expect(warned(limit, { requests: { cpu: 1000 } })).toEqual([['warning', `${limit}.requests.cpu`]])
  expect(warned('spec.volumes[0].emptyDir', { medium: 'Memory' })).toEqual([['warning', 'spec.volumes[0].emptyDir']])
  expect(warned('spec.priorityClassName', 'high')).toEqual([['warning', 'spec.priorityClassName']])
  expect(warned('spec.runtimeClassName', 'vm')).toEqual([['warning', 'spec.runtimeClassName']])
  expect(warned('spec.resources', { limits: { cpu: '4' } })).toEqual([['warning', 'spec.resources']])
})
