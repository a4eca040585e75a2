// SPDX-License-Identifier: Apache-2.0
// Defines the types of a seccomp profile: rules about system calls by name, the filter's return values, and the facts
// under which rules apply. Pure.

/** Return values of a filter: seccomp(2). For `errno` and `trace`, the profile chooses the low 16 bits. */
export const actions = {
  killProcess: 0x8000_0000,
  killThread: 0,
  trap: 0x0003_0000,
  errno: 0x0005_0000,
  notify: 0x7fc0_0000,
  trace: 0x7ff0_0000,
  log: 0x7ffc_0000,
  allow: 0x7fff_0000,
} as const

/** Returns the action that makes a system call fail with this errno. */
export function refuseWith(errno: number): number {
  return actions.errno | errno
}

/** Error numbers that hutch's own profiles use. */
export const errnos = { EPERM: 1, ENOSYS: 38 } as const

export const conditionOps = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const

/** A condition on an argument of a system call. Values are compared as unsigned 64-bit numbers; MASKED_EQ applies a mask first. */
export interface ArgumentCondition {
  /** The number of the argument, from 0 to 5. */
  index: number
  op: (typeof conditionOps)[number]
  value: bigint
  mask?: bigint
}

/** Facts that decide whether a rule applies: all of `includes` must be true, and none of `excludes`. */
export interface Circumstances {
  /** Numbers of capabilities that the command must have. */
  capabilities?: readonly number[]
  /** Machines by Docker's names: amd64, arm64. */
  architectures?: readonly string[]
  kernel?: readonly [number, number]
}

/** A rule of a profile: the action for these system calls if all conditions hold. */
export interface SeccompRule {
  names: readonly string[]
  action: number
  conditions: readonly ArgumentCondition[]
  includes?: Circumstances
  excludes?: Circumstances
}

/** A parsed seccomp profile, which does not depend on the machine. */
export interface Profile {
  /** Further instruction sets that the profile applies to; their names are those in `machines`. */
  architectures: readonly string[]
  /** The same as `architectures`, in Docker's form: further instruction sets for each machine. */
  architecturesOf?: { readonly [architecture: string]: readonly string[] }
  defaultAction: number
  rules: readonly SeccompRule[]
  /** SECCOMP_FILTER_FLAG_* for seccomp(2). */
  flags: number
  /** True if an agent outside answers calls: those with the action `notify`. */
  listens?: true
}

/** The facts of a plan that decide which rules of a profile apply. */
export interface ProfileFacts {
  machine: string
  kernel: readonly [number, number]
  /** Numbers of the capabilities that the command has. */
  capabilities: readonly number[]
}

/** A compiled filter as 32-bit words, two for each BPF instruction: the code with its jumps, then the constant. */
export interface SeccompFilter {
  words: number[]
  flags: number
  /** True if an agent outside answers calls. The filter then needs a listener. */
  listens?: true
  /** Settings for the listener, if calls are reported. `noticed` is the filter that notifies the listener. */
  supervise?: { noticed: readonly number[]; arguments: readonly number[]; learns: boolean }
}

/** Returns the rules of a profile that apply under these facts. */
export function selectRules(profile: Profile, facts: ProfileFacts): SeccompRule[] {
  return profile.rules.filter(({ includes, excludes }) => holds(includes, facts) && !touches(excludes, facts))
}

function holds(wanted: Circumstances | undefined, facts: ProfileFacts): boolean {
  if (!wanted) return true
  const { capabilities = [], architectures = [], kernel } = wanted
  return (
    capabilities.every((number) => facts.capabilities.includes(number)) &&
    (architectures.length === 0 || architectures.some((name) => dockerNames[facts.machine]!.includes(name))) &&
    (kernel === undefined || isSince(facts.kernel, kernel))
  )
}

function touches(unwanted: Circumstances | undefined, facts: ProfileFacts): boolean {
  if (!unwanted) return false
  const { capabilities = [], architectures = [], kernel } = unwanted
  return (
    capabilities.some((number) => facts.capabilities.includes(number)) ||
    architectures.some((name) => dockerNames[facts.machine]!.includes(name)) ||
    (kernel !== undefined && isSince(facts.kernel, kernel))
  )
}

const dockerNames: { [machine: string]: string[] } = { x86_64: ['amd64', 'x86_64'], aarch64: ['arm64', 'aarch64'] }

function isSince(kernel: readonly [number, number], since: readonly [number, number]): boolean {
  return kernel[0] > since[0] || (kernel[0] === since[0] && kernel[1] >= since[1])
}
