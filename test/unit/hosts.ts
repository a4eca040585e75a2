// SPDX-License-Identifier: Apache-2.0
// Machines written by hand: what plans are made from.
import { formatFile } from '../../src/cgroup/format-file.ts'
import type { Host } from '../../src/host/host.ts'
import type { Parent } from '../../src/host/parent-group.ts'
import { parseOptions, type RunOptions } from '../../src/options/options.ts'
import { makePlan, type PlanFacts } from '../../src/plan/plan.ts'

const facts = {
  kernel: [6, 1] as [number, number],
  release: '6.1.0',
  owner: { pid: 42, startTime: '777', pidNamespace: '4026531836' },
}

export const v2: Host = { ...facts, layout: 'v2', uid: 0, unified: { mount: '/cg', own: '/cg/init.scope' }, v1: {} }
export const hybrid: Host = {
  ...facts,
  layout: 'hybrid',
  uid: 0,
  unified: { mount: '/cg/unified', own: '/cg/unified' },
  v1: Object.fromEntries(
    ['memory', 'pids', 'cpu', 'cpuset'].map((name) => [name, { mount: `/cg/${name}`, own: `/cg/${name}` }]),
  ),
}
export const v1: Host = { layout: 'v1', uid: 0, v1: hybrid.v1, ...facts }
export const none: Host = { layout: 'none', uid: 0, v1: {}, ...facts }
export const rootless: Host = { ...v2, uid: 1000 }

/** A parent as a healthy host has it; `changes` make it another. */
export function parent(directory: string, changes: Partial<Parent> = {}): Parent {
  const all = ['cpuset', 'cpu', 'io', 'memory', 'pids']
  return {
    directory,
    exists: true,
    missing: [],
    writable: true,
    available: all,
    levels: [{ directory, enabled: all }],
    type: undefined,
    processes: [],
    outer: [],
    ...changes,
  }
}

/** The facts of a healthy host, from which a plan is made. */
export function factsOf(host: Host, changes: Partial<Parent> = {}): PlanFacts {
  const mounts: [string, string][] = [
    ...(host.unified ? [['', host.unified.mount] as [string, string]] : []),
    ...Object.entries(host.v1).map(([name, { mount }]) => [name, mount] as [string, string]),
  ]
  return {
    host,
    parents: new Map(mounts.map(([name, mount]) => [name, parent(mount, changes)])),
    user: undefined,
    devices: [],
    mayFilter: false,
    privileges: { uid: host.uid, gid: host.uid, permitted: host.uid === 0 ? '1ffffffffff' : '0', seccomp: false },
    env: ['PATH=/bin', 'A=1'],
    toolPath: { first: '/tools' },
    serial: 1,
  }
}

/** A plan for these options on this host. */
export function plan(
  host: Host,
  options: RunOptions = {},
  changes: Partial<Parent> = {},
  around: Partial<PlanFacts> = {},
) {
  const spec = parseOptions('job', ['a b'], options, 'library', formatFile)
  return makePlan(spec, { ...factsOf(host, changes), ...around })
}
