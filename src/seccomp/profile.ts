// SPDX-License-Identifier: Apache-2.0
// What a filter is made from: rules about system calls by name, the word that the kernel is answered with, and who they hold for.

/** Words that a filter returns: seccomp(2). The low 16 bits of `errno` and `trace` are a number of the profile's. */
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

/** A system call that answers with this error. */
export function refuseWith(errno: number): number {
  return actions.errno | errno
}

/** Errors by number that profiles of ours answer with. */
export const errnos = { EPERM: 1, ENOSYS: 38 } as const

export const conditionOps = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const

/** Something that must hold of an argument, read as 64 bits without sign; with MASKED_EQ of what the mask leaves of it. */
export interface Condition {
  /** 0 to 5. */
  index: number
  op: (typeof conditionOps)[number]
  value: bigint
  mask?: bigint
}

/** When a rule is there at all: all of `includes`, and nothing of `excludes`. */
export interface Circumstances {
  /** Capability numbers that the command keeps. */
  capabilities?: readonly number[]
  /** As Docker has them: amd64, arm64. */
  architectures?: readonly string[]
  kernel?: readonly [number, number]
}

/** Calls by name that are answered with `action` when all conditions hold. */
export interface Rule {
  names: readonly string[]
  action: number
  conditions: readonly Condition[]
  includes?: Circumstances
  excludes?: Circumstances
}

/** A whole profile, as yet for no machine in particular. */
export interface Profile {
  /** Besides the machine's own: names of `machines`. */
  architectures: readonly string[]
  /** Docker's form: what comes along with a machine. */
  architecturesOf?: { readonly [architecture: string]: readonly string[] }
  defaultAction: number
  rules: readonly Rule[]
  /** SECCOMP_FILTER_FLAG_* for seccomp(2). */
  flags: number
}

/** What is known once there is a plan. */
export interface Facts {
  machine: string
  kernel: readonly [number, number]
  /** That the command keeps. */
  capabilities: readonly number[]
}

/** Bytes of the filter as 32-bit words, two for each instruction: code, jumps; constant. */
export interface Filter {
  words: number[]
  flags: number
  /** A listener is asked about what `noticed` asks for. */
  supervise?: { noticed: readonly number[]; arguments: readonly number[]; learns: boolean }
}

/** The rules that hold under these facts. */
export function selectRules(profile: Profile, facts: Facts): Rule[] {
  return profile.rules.filter(({ includes, excludes }) => holds(includes, facts) && !touches(excludes, facts))
}

function holds(wanted: Circumstances | undefined, facts: Facts): boolean {
  if (!wanted) return true
  const { capabilities = [], architectures = [], kernel } = wanted
  return (
    capabilities.every((number) => facts.capabilities.includes(number)) &&
    (architectures.length === 0 || architectures.some((name) => dockerNames[facts.machine]!.includes(name))) &&
    (kernel === undefined || isSince(facts.kernel, kernel))
  )
}

function touches(unwanted: Circumstances | undefined, facts: Facts): boolean {
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
