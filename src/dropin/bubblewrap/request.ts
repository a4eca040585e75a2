// SPDX-License-Identifier: Apache-2.0
// What a command line of bubblewrap(1) asks for, as data.
import type { CapabilityWord } from '../../credentials/capability.ts'
import type { NamespaceKind } from '../../namespaces/namespace.ts'

/** One change of the file system inside, in the order given. Targets are absolute paths inside, sources paths outside. */
export type FileSystemStep = { origin: string; target: string } & (
  | { do: 'bind'; source: string; attributes: number; optional: boolean }
  | { do: 'read-only' | 'proc' | 'dev' | 'mqueue' | 'directory' }
  | { do: 'overlay'; lower: string[]; upper: string; work: string; drops: boolean }
  | { do: 'tmpfs'; size?: string }
  | { do: 'data'; descriptor: number; attached: boolean; attributes: number }
  | { do: 'link'; to: string }
  | { do: 'mode' }
) & { mode?: number }

export interface BwrapRequest {
  /** What runs, in the end. */
  words: string[]
  name?: string
  levelPrefix: boolean
  kinds: Set<NamespaceKind>
  /** Those only if possible. */
  tries: Set<'user' | 'cgroup'>
  disableUsers: boolean
  assertUsersDisabled: boolean
  userDescriptor?: number
  lastUserDescriptor?: number
  pidDescriptor?: number
  uid?: number
  gid?: number
  hostname?: string
  directory?: string
  /** In order: all away, one set, one away. */
  environment: ({ clear: true } | { name: string; value?: string })[]
  locks: string[]
  syncs: number[]
  steps: FileSystemStep[]
  /** Descriptors that hold a filter each. */
  filters: number[]
  block?: number
  userBlock?: number
  info?: number
  status?: number
  newSession: boolean
  diesWithParent: boolean
  first: boolean
  capabilities: { add: boolean; word: CapabilityWord }[]
  limits: { [name in 'memory' | 'pids' | 'cpus' | 'timeout']?: string }
}

/** Nothing asked for yet. */
export function emptyRequest(): BwrapRequest {
  return {
    words: [],
    levelPrefix: false,
    kinds: new Set(),
    tries: new Set(),
    disableUsers: false,
    assertUsersDisabled: false,
    environment: [],
    locks: [],
    syncs: [],
    steps: [],
    filters: [],
    newSession: false,
    diesWithParent: false,
    first: false,
    capabilities: [],
    limits: {},
  }
}

/** Descriptors that are used on the way, and that the program does not get. */
export function usedDescriptors(request: BwrapRequest): number[] {
  const inSteps = request.steps.flatMap((step) => {
    if (step.do === 'data') return [step.descriptor]
    const descriptor = step.do === 'bind' ? descriptorIn(step.source) : undefined
    return descriptor === undefined ? [] : [descriptor]
  })
  const named = single.map((name) => request[name]).filter((one) => one !== undefined)
  return [...new Set([...named, ...request.syncs, ...inSteps])]
}

const single = ['userDescriptor', 'lastUserDescriptor', 'pidDescriptor', 'block', 'userBlock'] as const

/** The same request with another number for what `from` is. */
export function renumberDescriptor(request: BwrapRequest, from: number, to: number): BwrapRequest {
  const renumbered = { ...request, syncs: request.syncs.map((one) => (one === from ? to : one)) }
  for (const name of single) if (request[name] === from) renumbered[name] = to
  renumbered.steps = request.steps.map((step) => {
    if (step.do === 'data' && step.descriptor === from) return { ...step, descriptor: to }
    return step.do === 'bind' && step.source === descriptorPath(from) ? { ...step, source: descriptorPath(to) } : step
  })
  return renumbered
}

/** The path that means a descriptor of the process that uses it. */
export function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`
}

function descriptorIn(path: string): number | undefined {
  const number = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1]
  return number === undefined ? undefined : Number(number)
}
