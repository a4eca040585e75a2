// SPDX-License-Identifier: Apache-2.0
// Holds the settings of a kubelet that its control groups depend on: the fields of KubeletConfiguration as a table. Pure.
import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'
import { parseQuantity } from '../text/quantity.ts'
import { plain } from '../text/quote.ts'
import { parseDuration } from '../text/units.ts'
import {
  featureGates,
  type GateName,
  gateDefault,
  gateFault,
  holds,
  knownVersions,
  parseMinorVersion,
} from './version.ts'

interface SettingField {
  parse(text: string): string | number | boolean | undefined
  accepted: string
}

const flag: SettingField = {
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  accepted: 'true or false',
}
const words = (...list: string[]): SettingField => ({
  parse: (text) => (list.includes(text) ? text : undefined),
  accepted: list.join(' or '),
})
const amount: SettingField = {
  parse: (text) => ((parseQuantity(text) ?? -1n) >= 0n ? text : undefined),
  accepted: 'a quantity such as 500m or 1Gi',
}

/** Fields of KubeletConfiguration, by their path. */
const settingFields = {
  cgroupDriver: words('systemd', 'cgroupfs'),
  cpuCFSQuota: flag,
  cpuCFSQuotaPeriod: {
    parse: (text) => {
      const ms = parseDuration(text, 1)
      return ms !== undefined && ms >= 1 && ms <= 1000 ? ms : undefined
    },
    accepted: 'a time from 1ms to 1s',
  },
  cpuManagerPolicy: words('none', 'static'),
  podPidsLimit: {
    parse: (text) => (/^-?\d{1,9}$/.test(text) ? Number(text) : undefined),
    accepted: 'a number of tasks, or -1 for no limit',
  },
  singleProcessOOMKill: flag,
  memoryThrottlingFactor: {
    parse: (text) => (Number(text) > 0 && Number(text) <= 1 ? Number(text) : undefined),
    accepted: 'a number above 0, at most 1',
  },
  memoryReservationPolicy: words('None', 'TieredReservation'),
  'memorySwap.swapBehavior': words('NoSwap', 'LimitedSwap', 'UnlimitedSwap'),
  enforceNodeAllocatable: { parse: (text) => text, accepted: 'a list such as pods,system-reserved' },
  'kubeReserved.cpu': amount,
  'kubeReserved.memory': amount,
  'systemReserved.cpu': amount,
  'systemReserved.memory': amount,
  'evictionHard.memory.available': {
    parse: (text) => (/^\d{1,2}(\.\d+)?%$/.test(text) ? text : amount.parse(text)),
    accepted: 'a quantity such as 100Mi, or a percentage',
  },
} satisfies { readonly [path: string]: SettingField }

type SettingName = keyof typeof settingFields

/** The settings of a kubelet. */
export interface Kubelet {
  /** Minor version of Kubernetes 1. */
  minor: number
  /** Version of the control groups of the node. */
  cgroup: 'v1' | 'v2'
  /** Formula by which the container runtime converts cpu.shares to cpu.weight. */
  weight: 'linear' | 'quadratic'
  /** Prefix of the scope of a container, by runtime. */
  scope: string
  cgroupDriver: 'systemd' | 'cgroupfs'
  cpuCFSQuota: boolean
  periodUsec: number
  staticCpus: boolean
  /** Maximum number of tasks in a pod; 0 for no limit. */
  podPidsLimit: number
  singleProcessOOMKill: boolean
  /** Undefined if memory.high is not set. */
  memoryThrottlingFactor: number | undefined
  tieredReservation: boolean
  swapBehavior: 'NoSwap' | 'LimitedSwap' | 'UnlimitedSwap'
  enforcesPods: boolean
  /** Milli-CPUs and bytes reserved for the kubelet and the system. */
  reserved: { milliCpus: number; memory: number }
  /** Bytes, or a share of the node's memory as a percentage. */
  evictionHard: string
  gates: { readonly [gate in GateName]: boolean }
}

/** What a user chose. Each setting has its path in KubeletConfiguration and its value as text. */
interface KubeletChoice {
  version?: string | undefined
  cgroup?: string | undefined
  runtime?: string | undefined
  settings: readonly { path: string; value: string; origin: string }[]
}

/** Flattens a KubeletConfiguration to settings by path. Fields that hutch does not use are left out. */
export function flattenConfiguration(value: unknown, origin: string, prefix = ''): KubeletChoice['settings'] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const isKnown = prefix in settingFields || prefix.replace(/^featureGates\./, '') in featureGates
    const text = Array.isArray(value) ? value.map(plain).join(',') : plain(value)
    return isKnown && value !== null && value !== undefined ? [{ path: prefix, value: text, origin }] : []
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    flattenConfiguration(inner, origin, prefix === '' ? key : `${prefix}.${key}`),
  )
}

const runtimePattern = /^(containerd|crio|cri-o)?(?:[,+]?(runc|crun)-(\d+)\.(\d+)(?:\.(\d+))?)?$/
/** The first version of each runtime with the quadratic formula. */
const quadraticSince = { runc: [1, 3, 2], crun: [1, 23, 0] } as const

/** Returns true if a version is at least the other one. */
function isFrom(version: readonly number[], least: readonly number[]): boolean {
  const at = version.findIndex((part, i) => part !== least[i])
  return at < 0 || version[at]! > least[at]!
}

function parseRuntime(text: string, minor: number): Pick<Kubelet, 'weight' | 'scope'> {
  const [whole, engine = 'containerd', name, ...version] = runtimePattern.exec(text) ?? []
  if (whole === undefined)
    throw fail('OPTION_INVALID', {
      name: '--runtime',
      value: text,
      accepted: 'containerd or crio, with the version of runc or crun if it is known: containerd,runc-1.3.2',
    })
  const isNew =
    name === undefined
      ? holds('quadraticWeight', minor)
      : isFrom(
          version.map((part) => Number(part ?? 0)),
          quadraticSince[name as keyof typeof quadraticSince],
        )
  return {
    weight: isNew ? 'quadratic' : 'linear',
    scope: engine === 'containerd' ? 'cri-containerd' : 'crio',
  }
}

/** Checks a choice and completes it with the defaults of its version. @throws OPTION_INVALID, OPTION_UNKNOWN, OPTION_CONFLICT */
export function makeKubelet(choice: KubeletChoice): Kubelet {
  const newest = `1.${knownVersions.last}`
  const minor = parseMinorVersion(choice.version ?? newest)
  if (minor === undefined)
    throw fail('OPTION_INVALID', {
      name: '--kubernetes',
      value: choice.version,
      accepted: `a version from 1.${knownVersions.first} to ${newest}`,
    })
  const cgroup = choice.cgroup ?? 'v2'
  if (cgroup !== 'v1' && cgroup !== 'v2')
    throw fail('OPTION_INVALID', { name: '--cgroup', value: cgroup, accepted: 'v1 or v2' })
  const set: { [path in SettingName]?: string | number | boolean } = {}
  const gates = Object.fromEntries(
    Object.keys(featureGates).map((name) => [name, gateDefault(name as GateName, minor)]),
  ) as { [gate in GateName]: boolean }
  for (const { path, value, origin } of choice.settings) {
    const gate = /^featureGates\.(\w+)$/.exec(path)?.[1]
    if (gate !== undefined) gates[gate as GateName] = readGate(gate, value, origin, minor)
    else set[path as SettingName] = readSetting(path, value, origin, minor)
  }
  const bytes = (path: SettingName) => Number(parseQuantity(set[path] ?? 0) ?? 0n) / 1e9
  const reservedCpus = bytes('kubeReserved.cpu') + bytes('systemReserved.cpu')
  return {
    minor,
    cgroup,
    ...parseRuntime(choice.runtime ?? 'containerd', minor),
    cgroupDriver: (set.cgroupDriver as 'systemd' | undefined) ?? 'systemd',
    cpuCFSQuota: set.cpuCFSQuota !== false,
    periodUsec: ((set.cpuCFSQuotaPeriod as number | undefined) ?? 100) * 1000,
    staticCpus: set.cpuManagerPolicy === 'static',
    podPidsLimit: Math.max(0, (set.podPidsLimit as number | undefined) ?? 0),
    singleProcessOOMKill: set.singleProcessOOMKill === true,
    memoryThrottlingFactor:
      (set.memoryThrottlingFactor as number | undefined) ?? (holds('noThrottlingByDefault', minor) ? undefined : 0.9),
    tieredReservation: set.memoryReservationPolicy === 'TieredReservation',
    swapBehavior:
      (set['memorySwap.swapBehavior'] as Kubelet['swapBehavior'] | undefined) ??
      (holds('noSwapByDefault', minor) ? 'NoSwap' : holds('swapByRequest', minor) ? 'UnlimitedSwap' : 'LimitedSwap'),
    enforcesPods: String(set.enforceNodeAllocatable ?? 'pods')
      .split(',')
      .includes('pods'),
    reserved: {
      milliCpus: Math.ceil(reservedCpus * 1000),
      memory: Math.ceil(bytes('kubeReserved.memory') + bytes('systemReserved.memory')),
    },
    evictionHard: String(set['evictionHard.memory.available'] ?? '100Mi'),
    gates,
  }
}

function readGate(name: string, value: string, origin: string, minor: number): boolean {
  if (!(name in featureGates)) throw unknownSetting(`featureGates.${name}`, origin)
  const on = flag.parse(value)
  const why = on === undefined ? undefined : gateFault(name as GateName, on as boolean, minor)
  if (on === undefined || why !== undefined)
    throw fail('OPTION_INVALID', {
      name: `${origin} featureGates.${name}`,
      value,
      why,
      accepted: why === undefined ? flag.accepted : 'another --kubernetes, or leave the gate out',
    })
  return on as boolean
}

function readSetting(path: string, value: string, origin: string, minor: number): string | number | boolean {
  if (!(path in settingFields)) throw unknownSetting(path, origin)
  const { parse, accepted } = settingFields[path as SettingName]
  const parsed = parse(value)
  const since = { singleProcessOOMKill: 'singleProcessOOMKill', memoryReservationPolicy: 'reservationPolicy' } as const
  const rule = since[path as keyof typeof since]
  const why =
    rule !== undefined && !holds(rule, minor)
      ? `Kubernetes 1.${minor} does not have this field`
      : value === 'UnlimitedSwap' && holds('noSwapByDefault', minor)
        ? `Kubernetes 1.${minor} no longer has it`
        : undefined
  if (parsed === undefined || why !== undefined)
    throw fail('OPTION_INVALID', {
      name: `${origin} ${path}`,
      value,
      why,
      accepted: why === undefined ? accepted : 'another --kubernetes, or another value',
    })
  return parsed
}

function unknownSetting(path: string, origin: string): Error {
  const known = [...Object.keys(settingFields), ...Object.keys(featureGates).map((name) => `featureGates.${name}`)]
  return fail('OPTION_UNKNOWN', {
    name: `${origin} ${path}`,
    nearest: nearest(path, known),
    known: `the fields are: ${known.join(' ')}`,
  })
}
