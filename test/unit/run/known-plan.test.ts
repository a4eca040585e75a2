// SPDX-License-Identifier: Apache-2.0
// A plan that was kept gives the same start as a plan that is made anew, except for the number in the group's name.
import { expect, test } from 'vitest'
import { encodeProgram } from '../../../src/ops/wire.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { makePlan, type PlanFacts } from '../../../src/plan/plan.ts'
import { isCurrent, isRepeatable, makeKnownPlan, repeatPlan } from '../../../src/run/known-plan.ts'
import { readOwnFilter } from '../../../src/seccomp/load-builtin.ts'
import { figurePlaces } from '../../../src/verdict/collect-end.ts'
import { factsOf, hybrid, none, rootless, v1, v2 } from '../hosts.ts'

const hosts = { v2, hybrid, v1, none, rootless }
const parse = (file: string, args: string[], options: RunOptions) => parseOptions(file, args, options, 'library')

const options: RunOptions[] = [
  {},
  { isolate: 'none' },
  { isolate: ['pid', 'mount', 'ipc', 'uts', 'cgroup'], env: { A: 'b' }, timeout: 1000 },
  { rootfs: '/image', mounts: [{ tmpfs: '/tmp' }], capDrop: 'ALL', seccomp: 'none', ulimits: { nofile: 64 } },
  { rootfs: '/image', isolate: 'all', mounts: [{ volume: '/hutch-42-777-4026531836-1:/1' }], hostname: '11-22' },
  { sandbox: { limits: 'none' }, mounts: [{ volume: '/work:/work' }] },
]
const limited: RunOptions[] = [
  { limits: { memory: '50M', pids: 20 }, isolate: 'none' },
  { limits: { memory: '50M', swap: 0, cpus: 1 }, isolate: 'all' },
  { sandbox: true },
]
const all = Object.keys(hosts).flatMap((host) =>
  [...options, ...(host === 'none' ? [] : limited)].map((row) => [host as keyof typeof hosts, row] as const),
)

const factsFor = (host: keyof typeof hosts): PlanFacts => ({ ...factsOf(hosts[host]), filter: readOwnFilter('strict') })

test.each(all)('%s: %j', (host, row) => {
  const facts = factsFor(host)
  const known = makeKnownPlan(parse('first', ['a', 'b'], row), { ...facts, serial: 10 })
  for (const serial of [11, 22, 90]) {
    const spec = parse(`command ${serial}`, ['hutch-42-777-4026531836-11'], row)
    const plan = makePlan(spec, { ...facts, serial })
    const program = compilePlan(plan)
    const again = repeatPlan(known, spec, serial)
    expect(again.plan).toEqual(plan)
    expect(again.program.outer).toEqual(program.outer)
    expect(again.program.inner).toEqual(program.inner)
    const directories = (places: ReturnType<typeof figurePlaces>) =>
      places.map(({ directory, group, ...place }) => ({ ...place, in: plan.groups[group]?.directory ?? directory }))
    expect(directories([...again.program.places!])).toEqual(directories(figurePlaces(plan, program)))
    const bytes = Buffer.from(again.encode())
    expect(bytes.equals(encodeProgram(program))).toBe(true)
  }
})

test('a kept plan is used only if all facts that can change are the same', () => {
  const share = { directory: '/cg/cpu', quota: 50_000, period: 100_000 }
  const sources = new Map([['/work', { uid: 5, mode: 0o755 }]])
  const facts = { ...factsFor('v1'), absent: ['/nix/store'], share, sources }
  const known = makeKnownPlan(parse('true', [], { sandbox: true }), { ...facts, serial: 1 })
  expect(isCurrent(known, { ...facts }, 9)).toBe(true)
  expect(isCurrent(known, facts, 10)).toBe(false)
  const changes: Partial<PlanFacts>[] = [
    { host: { ...facts.host } },
    { env: [...facts.env] },
    { absent: [] },
    { absent: ['/lib32'] },
    { share: undefined },
    { share: { ...share, quota: 1000 } },
    { share: { ...share, period: 1000 } },
    { share: { ...share, directory: '/cg/cpu/a' } },
    { sources: new Map() },
    { sources: new Map([['/work', { uid: 6, mode: 0o755 }]]) },
    { sources: new Map([['/work', { uid: 5, mode: 0o777 }]]) },
  ]
  for (const change of changes) expect([change, isCurrent(known, { ...facts, ...change }, 9)]).toEqual([change, false])
})

test.each<RunOptions>([
  { user: 'nobody' },
  { group: 'nogroup' },
  { groups: ['audio'] },
  { groupAdd: ['audio'] },
  { mapUsers: 'auto' },
  { parent: 'a' },
  { network: 'private' },
  { rootfs: '/image', devices: ['/dev/fuse'] },
  { sandbox: true, seccompReport: true },
  { seccomp: '/profile.json' },
  { addHosts: ['a:1.2.3.4'], rootfs: '/image' },
])('a plan is made anew for %j', (row) => {
  expect(isRepeatable(parse('true', [], row))).toBe(false)
})
