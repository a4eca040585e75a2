// SPDX-License-Identifier: Apache-2.0
// Generated manifests: Kubernetes' schemas accept them, and explaining them gives the figures that they were made of.
import fc from 'fast-check'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { Pod } from 'kubernetes-models/v1/Pod'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { explainPod } from '../../../src/kube/explain.ts'
import { formatGenerated, generatedKinds, type Observed, podNeeds } from '../../../src/kube/generate.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import { parseNode } from '../../../src/kube/node.ts'
import { changed, valid } from './objects.ts'

const models = { Pod, Deployment, Job }
const node = parseNode('cpu=64,memory=256Gi')

/** Throws if Kubernetes' schema does not accept the object. */
function validate(object: { kind: keyof typeof models }): void {
  new models[object.kind](object as never).validate()
}

/** Generates a manifest, checks it, and explains its pod. */
function explained(observed: Observed, kind: (typeof generatedKinds)[number], cgroup: 'v1' | 'v2', version = '1.37') {
  const kubelet = makeKubelet({ version, cgroup, settings: [] })
  const text = formatGenerated(podNeeds(observed, kubelet.weight), { kind }, 'a test')
  validate(parse(text))
  const { pods, problems } = readManifest(text, kubelet)
  expect(problems).toEqual([])
  return { text, pod: explainPod(pods[0]!, kubelet, node) }
}

const run = (limits: Observed['limits'], more: Partial<Observed> = {}): Observed => ({
  command: ['/usr/bin/make', '-j4', 'a b', '--x="y"'],
  limits,
  usage: { memoryPeak: 50 * 2 ** 20, cpuUsec: 900_000 },
  durationMs: 2000,
  ...more,
})

test('a run without limits: the peak of memory and 15 %, and its CPU time by its time', () => {
  const { text, pod } = explained(run({}), 'Pod', 'v2')
  expect(parse(text)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'make' },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'make',
          image: 'registry.example/make:latest',
          command: ['/usr/bin/make', '-j4', 'a b', '--x="y"'],
          resources: { requests: { cpu: '450m', memory: '58Mi' }, limits: { memory: '58Mi' } },
        },
      ],
    },
  })
  expect(pod.containers[0]!.files).toMatchObject({ 'memory.max': String(58 * 2 ** 20), 'cpu.max': 'max 100000' })
})

test('limits of a run are taken over; pids become an annotation', () => {
  const { text } = explained(run({ 'memory.max': 2 ** 27, 'cpu.max': '150000 100000', 'pids.max': 64 }), 'Job', 'v2')
  const { template } = parse(text).spec
  expect(template.metadata.annotations).toEqual({ 'hutch.example/pids-max': '64' })
  expect(template.spec.containers[0].resources).toEqual({
    requests: { cpu: '450m', memory: '128Mi' },
    limits: { cpu: '1500m', memory: '128Mi' },
  })
})

test('names that YAML would read as another type are quoted, and all names are valid', () => {
  for (const name of ['true', '123', 'null', 'A_B.c', '…', '-x-', 'on', 'n', '1e3']) {
    const observed = run({}, { command: [`/bin/${name}`] })
    for (const kind of generatedKinds) expect(typeof explained(observed, kind, 'v2').pod.name).toBe('string')
  }
})

const limits = fc.record({
  memory: fc.option(fc.integer({ min: 1536, max: 2 ** 20 }).map((pages) => pages * 4096)),
  low: fc.option(fc.integer({ min: 256, max: 2 ** 20 }).map((pages) => pages * 4096)),
  cpus: fc.option(fc.integer({ min: 10, max: 64_000 })),
  weight: fc.integer({ min: 1, max: 300 }),
  shares: fc.integer({ min: 2, max: 5000 }),
  pids: fc.option(fc.integer({ min: 1, max: 1000 })),
})

test('random limits of a group: the explained figures are those of the group', () => {
  fc.assert(
    fc.property(
      limits,
      fc.constantFrom(...generatedKinds),
      fc.constantFrom('v1', 'v2'),
      fc.constantFrom('1.30', '1.36'),
      (one, kind, cgroup, version) => {
        const group: Observed = {
          name: 'g',
          command: [],
          usage: {},
          limits: {
            'memory.max': one.memory === null ? 'max' : String(one.memory),
            'memory.low': one.low === null ? '0' : String(one.low),
            'cpu.max': one.cpus === null ? 'max 100000' : `${one.cpus * 100} 100000`,
            ...(cgroup === 'v1' ? { 'cpu.shares': String(one.shares) } : { 'cpu.weight': String(one.weight) }),
            'pids.max': one.pids === null ? 'max' : String(one.pids),
          },
        }
        const { text, pod } = explained(group, kind, cgroup, version)
        const { files } = pod.containers[0]!
        const [memory, cpu] =
          cgroup === 'v1' ? ['memory.limit_in_bytes', 'cpu.cfs_quota_us'] : ['memory.max', 'cpu.max']
        expect(files[memory]).toBe(one.memory === null ? (cgroup === 'v1' ? '-1' : 'max') : String(one.memory))
        const quota = one.cpus === null ? undefined : one.cpus * 100
        expect(files[cpu]).toBe(
          cgroup === 'v1' ? String(quota ?? -1) : quota === undefined ? 'max 100000' : `${quota} 100000`,
        )
        const asks = cgroup === 'v1' ? one.shares !== 1024 : one.weight !== 100
        const request = parse(text).kind === 'Pod' ? parse(text).spec : parse(text).spec.template.spec
        const isCapped = request.containers[0].resources?.requests?.cpu === request.containers[0].resources?.limits?.cpu
        if (asks && !isCapped && cgroup === 'v1')
          // a thousandth of a CPU is more than one share, so every forty-second number of shares is left out
          expect(Number(files['cpu.shares']) - one.shares).toBeOneOf([0, 1])
        // a weight that no request gives exactly becomes the next larger one
        if (asks && !isCapped && cgroup === 'v2') expect(Number(files['cpu.weight'])).toBeGreaterThanOrEqual(one.weight)
        if (asks && !isCapped && cgroup === 'v2')
          expect(Number(files['cpu.weight'])).toBeLessThanOrEqual(Math.ceil(one.weight * 1.6) + 1)
      },
    ),
    { numRuns: 300 },
  )
})

test("hutch's table of fields and Kubernetes' schema agree", () => {
  for (const kind of ['Pod', 'Deployment', 'Job'] as const) validate(valid[kind]!() as { kind: 'Pod' })
  const broken: [string, unknown][] = [
    ['spec.containers[0].image', 5],
    ['spec.containers[0].ports[0].containerPort', 'x'],
    ['spec.containers[0].resources.limits.memory', true],
    ['spec.containers', {}],
    ['spec.hostNetwork', 'yes'],
  ]
  const kubelet = makeKubelet({ version: '1.33', settings: [] })
  for (const [path, value] of broken) {
    const object = changed('Pod', path, value)
    expect(() => validate(object as { kind: 'Pod' })).toThrow()
    expect(readManifest(JSON.stringify(object), kubelet).problems).not.toEqual([])
  }
})
