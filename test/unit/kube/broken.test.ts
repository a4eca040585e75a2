// SPDX-License-Identifier: Apache-2.0
// Broken manifests are rejected with the path of the field and a remedy.
import { expect, test } from 'vitest'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import { brokenObjects } from './broken-objects.ts'
import { changed, valid } from './objects.ts'

const read = (text: string, version = '1.33') => readManifest(text, makeKubelet({ version, settings: [] })).problems
test.for(brokenObjects)('%s with another %s: %j', ([kind, path, value, remedy, reported = path, version]) => {
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

test('at least 60 manifests are broken', () => expect(brokenObjects.length).toBeGreaterThanOrEqual(60))

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

const c = 'spec.containers[0]'
const container = '{name: a, image: i}'
const podOf = (line: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - ${line}\n`

test.for<[name: string, text: string, what: RegExp, remedy: RegExp, line: number]>([
  ['a template of Helm', podOf('name: {{ .Values.name }}'), /template/, /helm template/, 6],
  ['a template with a condition', `{{- if .Values.on }}\n${podOf(container)}{{- end }}\n`, /template/, /helm/, 1],
  ['UTF-16', podOf(container).replace(/./g, '$&\0'), /not in UTF-8/, /iconv -f utf-16/, 1],
  ['another encoding', podOf('{name: a, image: i, command: ["\ufffd"]}'), /not in UTF-8/, /iconv -f latin1/, 6],
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
  expect(warned(`${c}.livenessProbe.periodSeconds`, 0)).toEqual([['warning', `${c}.livenessProbe.periodSeconds`]])
  const port = `${c}.livenessProbe.httpGet.port`
  expect(warned(port, 'htp')).toEqual([['warning', port]])
  for (const image of ['nginx latest', 'https://example.com/nginx', 'Nginx'])
    expect(warned(`${c}.image`, image)).toEqual([['warning', `${c}.image`]])
  for (const image of ['nginx', 'localhost:5000/a/b_c:1', 'gcr.io/a/b@sha256:0f', 'Registry.example/a'])
    expect(warned(`${c}.image`, image)).toEqual([])
  expect(warned(`${c}.ports[0].hostPort`, 0)).toEqual([])
  expect(warned('spec.resources', { limits: { cpu: '4' } })).toEqual([['warning', 'spec.resources']])
})
