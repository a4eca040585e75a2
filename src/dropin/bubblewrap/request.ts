// SPDX-License-Identifier: Apache-2.0
// The request that a command line of bubblewrap(1) describes, as data. Pure.
import type { CapabilityWord } from '../../credentials/capability.ts'
import type { NamespaceKind } from '../../namespaces/namespace.ts'

/**
 * A step that changes the job's file system. Steps have the order of the options. Targets are absolute paths inside the root; sources are
 * paths outside.
 */
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
  /** The command and its arguments. */
  words: string[]
  name?: string
  levelPrefix: boolean
  kinds: Set<NamespaceKind>
  /** Namespaces that are created only if that is possible (--unshare-user-try, --unshare-cgroup-try). */
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
  /** Changes of the environment in order: clear all, set one, or remove one. */
  environment: ({ clear: true } | { name: string; value?: string })[]
  locks: string[]
  syncs: number[]
  steps: FileSystemStep[]
  /** Descriptors from which seccomp filters are read. */
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

/** Returns a request without any options. */
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

/** Returns the descriptors that bwrap itself uses. The program does not inherit them. */
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

/** Returns the request with the descriptor `from` replaced by `to`. */
export function renumberDescriptor(request: BwrapRequest, from: number, to: number): BwrapRequest {
  const renumbered = { ...request, syncs: request.syncs.map((one) => (one === from ? to : one)) }
  for (const name of single) if (request[name] === from) renumbered[name] = to
  renumbered.steps = request.steps.map((step) => {
    if (step.do === 'data' && step.descriptor === from) return { ...step, descriptor: to }
    return step.do === 'bind' && step.source === descriptorPath(from) ? { ...step, source: descriptorPath(to) } : step
  })
  return renumbered
}

/** Returns the path in /proc by which a process refers to its own descriptor. */
export function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`
}

function descriptorIn(path: string): number | undefined {
  const number = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1]
  return number === undefined ? undefined : Number(number)
}
