// SPDX-License-Identifier: Apache-2.0
// The limits that a process has, read from the files of its groups: the same values on v1 and on v2.
import { cpus } from 'node:os'
import { readHost } from '../../src/host/host.ts'
import type { Session } from './session.ts'

export interface Limits {
  /** Bytes, or max. */
  memory: string
  /** Memory and swap together, in bytes, or max. */
  swap: string
  /** Memory that is reclaimed last, in bytes. 0, or max on v1: not set. */
  soft: string
  pids: string
  /** Microseconds of each period of 100 ms, or max. */
  quota: string
  /** v1's shares, also on v2. */
  shares: string
  cpus: string
}

export const isV2 = readHost().layout === 'v2'

/** Two processors, or the only one, as a list for cpuset. */
export const twoProcessors = cpus().length > 1 ? '0-1' : '0'

/** Finds the line of /proc/PID/cgroup with the group that limits processes, for grep(1). */
export const pidsLine = isV2 ? '^0::' : ':pids:'

/** Shares that the tests use. A weight of v2 is told back to them by either formula that runtimes have. */
const knownShares = [2, 256, 512, 1024]
const linear = (shares: number) => 1 + Math.floor(((shares - 2) * 9999) / 262142)
const byPowers = (shares: number) => {
  const log = Math.log2(shares)
  return shares <= 2 ? 1 : Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
}
const sharesOf = (weight: number) =>
  String(knownShares.find((shares) => byPowers(shares) === weight || linear(shares) === weight) ?? `weight ${weight}`)

/** v1's largest value is one page less than 2⁶³. */
const orMax = (value: string) => (value === '9223372036854771712' || value === '-1' ? 'max' : value)

/** Reads the limits of the group that a process of the session is in. */
export async function readLimits(session: Session, pid: string): Promise<Limits> {
  const groups = await session.output(['cat', `/proc/${pid}/cgroup`])
  const read = (controller: string, file: string) => session.groupFile(controller, groups, file)
  if (!isV2)
    return {
      memory: orMax(read('memory', 'memory.limit_in_bytes')),
      swap: orMax(read('memory', 'memory.memsw.limit_in_bytes')),
      soft: orMax(read('memory', 'memory.soft_limit_in_bytes')),
      pids: read('pids', 'pids.max'),
      quota: orMax(read('cpu', 'cpu.cfs_quota_us')),
      shares: read('cpu', 'cpu.shares'),
      cpus: read('cpuset', 'cpuset.cpus'),
    }
  const [memory, swap] = [read('', 'memory.max'), read('', 'memory.swap.max')]
  return {
    memory,
    swap: [memory, swap].includes('max') ? 'max' : String(Number(memory) + Number(swap)),
    soft: read('', 'memory.low'),
    pids: read('', 'pids.max'),
    quota: read('', 'cpu.max').split(' ')[0]!,
    shares: sharesOf(Number(read('', 'cpu.weight'))),
    cpus: read('', 'cpuset.cpus'),
  }
}

export async function isFrozen(session: Session, pid: string): Promise<boolean> {
  const groups = await session.output(['cat', `/proc/${pid}/cgroup`])
  if (isV2) return /^frozen 1$/m.test(session.groupFile('', groups, 'cgroup.events'))
  return session.groupFile('freezer', groups, 'freezer.state') === 'FROZEN'
}

/** Returns the path of a group in the lines of /proc/PID/cgroup: of a v1 controller, or of the v2 tree by the empty name. */
export function groupIn(groups: string, controller: string): string {
  const [, group] = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm').exec(groups) ?? []
  if (group === undefined) throw new Error(`no group of ${controller} in:\n${groups}`)
  return group
}

/** Returns the group of a process in the hierarchy of memory. */
export async function groupOf(session: Session, pid: string): Promise<string> {
  return groupIn(await session.output(['cat', `/proc/${pid}/cgroup`]), isV2 ? '' : 'memory')
}
