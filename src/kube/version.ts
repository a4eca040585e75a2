// SPDX-License-Identifier: Apache-2.0
// Lists the rules of the kubelet that depend on its version, and the feature gates with their defaults. Pure.
// KEP numbers are those of kubernetes/enhancements; other sources are files of kubernetes/kubernetes.

/** The minor versions of Kubernetes 1 whose rules are known. */
export const knownVersions = { first: 27, last: 37 } as const

/** A rule with its source. It holds from the minor version `since` on. */
interface VersionedRule {
  since: number
  /** What a kubelet does from this version on. */
  meaning: string
  source: string
}

/** Rules that no feature gate controls. */
export const versionRules = {
  oomGroup: {
    since: 28,
    meaning: 'memory.oom.group is 1 for containers on cgroup v2',
    source: 'kubernetes/kubernetes#117793',
  },
  singleProcessOOMKill: {
    since: 32,
    meaning: 'singleProcessOOMKill: true leaves memory.oom.group at 0',
    source: 'kubernetes/kubernetes#126096',
  },
  swapByRequest: {
    since: 28,
    meaning:
      'LimitedSwap gives swap in proportion to the memory request; before, containers with a memory limit get none',
    source: 'KEP-2400',
  },
  noSwapByDefault: {
    since: 30,
    meaning: 'containers get no swap unless memorySwap.swapBehavior is LimitedSwap',
    source: 'KEP-2400',
  },
  quadraticWeight: {
    since: 35,
    meaning: 'the runtime is assumed to be runc 1.3.2 or crun 1.23, or newer, with the quadratic formula of cpu.weight',
    source: 'KEP-2254; opencontainers/runc#4896',
  },
  refusesCgroupV1: {
    since: 35,
    meaning: 'failCgroupV1 is true: the kubelet does not start on cgroup v1',
    source: 'KEP-5573',
  },
  reservationPolicy: {
    since: 36,
    meaning: 'memory.min and memory.low are set only with memoryReservationPolicy: TieredReservation',
    source: 'KEP-2570, Alpha v1.36',
  },
  noThrottlingByDefault: {
    since: 37,
    meaning: 'memoryThrottlingFactor has no default, so memory.high is set only if it is given',
    source: 'KEP-2570, Beta v1.37',
  },
  bestEffortHigh: {
    since: 37,
    meaning: 'MemoryQoS sets memory.high for containers without a memory request and limit, too',
    source: 'KEP-2570, Beta v1.37',
  },
  podHigh: {
    since: 37,
    meaning: 'MemoryQoS sets memory.high for pods with resources of their own and a limit of memory, too',
    source: 'pkg/kubelet/cm/pod_container_manager_linux.go',
  },
  containerRestartPolicy: {
    since: 35,
    meaning: 'a regular container may have a restartPolicy',
    source: 'KEP-5307',
  },
} as const satisfies { readonly [rule: string]: VersionedRule }

/** A feature gate: the first version that has it, the version from which it is on, and the one from which it is locked. */
interface FeatureGate {
  since: number
  on?: number
  locked?: number
  source: string
}

export const featureGates = {
  MemoryQoS: { since: 22, on: 37, source: 'KEP-2570' },
  NodeSwap: { since: 22, on: 30, locked: 34, source: 'KEP-2400' },
  SidecarContainers: { since: 28, on: 29, locked: 33, source: 'KEP-753' },
  PodLevelResources: { since: 32, on: 34, source: 'KEP-2837' },
  DisableCPUQuotaWithExclusiveCPUs: {
    since: 33,
    on: 33,
    source: 'pkg/kubelet/kuberuntime/kuberuntime_container_linux.go',
  },
} as const satisfies { readonly [gate: string]: FeatureGate }

export type GateName = keyof typeof featureGates

/** Parses a version such as `1.33`, `v1.33` or `1.33.4` to its minor version. Returns undefined for an unknown one. */
export function parseMinorVersion(text: string): number | undefined {
  const minor = Number(/^v?1\.(\d{1,3})(?:\.\d+)?$/.exec(text)?.[1] ?? Number.NaN)
  return minor >= knownVersions.first && minor <= knownVersions.last ? minor : undefined
}

/** Returns true if a rule holds for this minor version. */
export function holds(rule: keyof typeof versionRules, minor: number): boolean {
  return minor >= versionRules[rule].since
}

/** Returns whether a gate is on by default in this minor version. */
export function gateDefault(name: GateName, minor: number): boolean {
  const gate: FeatureGate = featureGates[name]
  return gate.on !== undefined && minor >= gate.on
}

/** Returns why a gate cannot have a value in this minor version. Returns undefined if it can. */
export function gateFault(name: GateName, on: boolean, minor: number): string | undefined {
  const gate: FeatureGate = featureGates[name]
  if (minor < gate.since) return `Kubernetes 1.${minor} does not have it; it exists since 1.${gate.since}`
  if (!on && gate.locked !== undefined && minor >= gate.locked)
    return `it cannot be turned off since Kubernetes 1.${gate.locked}`
  return undefined
}
