// SPDX-License-Identifier: Apache-2.0
// Changes the limits of an existing container: all of the requested ones, or none. Absent properties stay.

import { readGroupFile, readWords } from '../../cgroup/files.ts'
import { makeWrites, orNone } from '../../cgroup/restore.ts'
import type { FileWrite } from '../../cgroup/set-file.ts'
import { orderQuota } from '../../cgroup/v1/cpu-quota.ts'
import { fail } from '../../errors/errors.ts'
import type { Host } from '../../host/host.ts'
import { readPageSizes } from '../../host/huge-pages.ts'
import type { GroupPlace } from '../../options/spec.ts'
import { existsSync } from '../../system/files.ts'
import type { CpuResources, Integer, LinuxResources, MemoryResources } from './linux-resources.ts'
import { invalid, parseInteger, type ResourceWrite } from './resource-values.ts'
import { convertResources } from './resource-writes.ts'
import { setUnitProperties } from './systemd-unit.ts'
import { limitProperties } from './unit-properties.ts'

/** A number from which v1 reports no limit. */
const unlimited = 2n ** 62n

/** The groups of a container, by controller. */
type Directories = ReadonlyMap<string, string>

/**
 * Changes limits. If the kernel refuses one, the others get their previous values again. Rules for devices are not
 * changed. `unit` is the container's unit of systemd, if it has one.
 *
 * @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED, OPTION_INVALID, CGROUP_CONTROLLER_MISSING, CGROUP_LIMIT_BELOW_USE, CGROUP_LIMIT_UNSUPPORTED, CGROUP_WRITE_REFUSED,
 * CGROUP_NOT_RESTORED
 */
export async function updateGroups(
  places: readonly GroupPlace[],
  resources: LinuxResources,
  host: Pick<Host, 'v1'>,
  unit?: string,
): Promise<void> {
  const { writes, complete } = planUpdate(places, resources, host)
  await orNone(async (journal) => {
    await makeWrites(writes, journal)
    // systemd writes its properties again when it reloads, so it must know the new ones; it is asked last, as nothing undoes that
    if (unit !== undefined) {
      await setUnitProperties(unit, limitProperties(complete))
      // systemd rounds a quota up
      await makeWrites(writes)
    }
  })
}

/**
 * Returns the writes of an update in an order that the kernel accepts, and the resources with the current values that they relate to.
 *
 * @throws the errors of updateGroups, except the last two
 */
function planUpdate(
  places: readonly GroupPlace[],
  resources: LinuxResources,
  host: Pick<Host, 'v1'>,
): { writes: FileWrite[]; complete: LinuxResources } {
  const directories: Directories = new Map(places.map(({ controller, directory }) => [controller, directory]))
  const unified = directories.get('')
  const complete = {
    ...resources,
    ...(resources.cpu && { cpu: completeCpu(resources.cpu, unified) }),
    ...(resources.memory && { memory: completeMemory(resources.memory, directories) }),
  }
  refuseBelowUse(resources.memory, directories)
  const controllers = {
    v1: Object.keys(host.v1).filter((controller) => directories.has(controller)),
    v2: unified === undefined ? undefined : readWords(unified, 'cgroup.controllers'),
  }
  const facts = {
    get pageSizes() {
      return readPageSizes()
    },
    hasFile: (controller: string, file: string) => existsSync(`${directories.get(controller)}/${file}`),
  }
  const requested = [...convertResources(complete, controllers, facts)]
  const writes = requested.flatMap(([controller, own]) => {
    const directory = directories.get(controller)!
    const kept = own.filter(({ file }) => !isOnlyCompleted(file, resources))
    return orderWrites(directory, kept).map(({ file, value }) => ({ directory, file, value }))
  })
  return { writes, complete }
}

/** Returns true for a limit of memory that was only needed to calculate that of swap. */
function isOnlyCompleted(file: string, { memory }: LinuxResources): boolean {
  return (file === 'memory.max' || file === 'memory.limit_in_bytes') && memory?.limit === undefined
}

/** v2 has quota and period in one file: adds the one that is not named. */
function completeCpu(cpu: CpuResources, unified: string | undefined): CpuResources {
  const [quota, period] = (unified && readGroupFile(unified, 'cpu.max')?.split(' ')) || []
  if (period === undefined) return cpu
  if (cpu.quota === undefined && cpu.period !== undefined)
    return { ...cpu, quota: quota === 'max' ? -1 : Number(quota) }
  if (cpu.quota !== undefined && cpu.period === undefined) return { ...cpu, period: Number(period) }
  return cpu
}

/** A limit of swap alone relates to the group's current limit of memory. */
function completeMemory(memory: MemoryResources, directories: Directories): MemoryResources {
  if (memory.swap === undefined || parseInteger(memory.swap, 'memory.swap') <= 0n || memory.limit !== undefined)
    return memory
  const limit = currentLimit(directories)
  return limit === undefined ? memory : { ...memory, limit }
}

/** Returns the current limit of memory; undefined if there is no limit. */
function currentLimit(directories: Directories): bigint | undefined {
  const number = readNumber(directories, 'memory.limit_in_bytes', 'memory.max')
  return number === undefined || number >= unlimited ? undefined : number
}

/** Reads a number from the v1 group of memory, or from the v2 group. Returns undefined for `max` and for a missing file. */
function readNumber(directories: Directories, v1: string, v2: string): bigint | undefined {
  const legacy = directories.get('memory')
  const text = legacy === undefined ? readGroupFile(directories.get('') ?? '', v2) : readGroupFile(legacy, v1)
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined
}

/** Refuses limits that are not above the current use, if the caller wants this check. @throws CGROUP_LIMIT_BELOW_USE */
function refuseBelowUse(memory: MemoryResources | undefined, directories: Directories): void {
  if (!memory?.checkBeforeUpdate) return
  const use = readNumber(directories, 'memory.usage_in_bytes', 'memory.current')
  const check = (value: Integer | undefined, file: string) => {
    const limit = parseInteger(value, 'memory.limit')
    if (use === undefined || limit <= 0n || limit > use) return
    throw fail('CGROUP_LIMIT_BELOW_USE', {
      file,
      value: String(limit),
      limit: Number(limit),
      group: directories.get('memory') ?? directories.get('')!,
      current: Number(use),
      remedy: 'give a higher limit, or set memory.checkBeforeUpdate to false',
    })
  }
  check(memory.swap, 'memory.swap.max')
  check(memory.limit, 'memory.max')
}

/** Orders the writes of one group by its current values. @throws OPTION_INVALID */
function orderWrites(directory: string, writes: readonly ResourceWrite[]): ResourceWrite[] {
  const find = (file: string) => writes.find((write) => write.file === file)
  const read = (file: string) => readGroupFile(directory, file)
  let ordered = [...writes]
  const putFirst = (write: ResourceWrite) => {
    ordered = [write, ...ordered.filter((one) => one !== write)]
  }
  const [quota, period] = [find('cpu.cfs_quota_us'), find('cpu.cfs_period_us')]
  if (quota && period) {
    const byFile = { 'cpu.cfs_quota_us': quota, 'cpu.cfs_period_us': period }
    const pair = orderQuota(directory, quota.value, period.value).map(([file, value]) => ({
      ...byFile[file as keyof typeof byFile],
      value,
    }))
    ordered = [...ordered.filter((one) => one !== quota && one !== period), ...pair]
    const burst = find('cpu.cfs_burst_us')
    if (burst) ordered = [...ordered.filter((one) => one !== burst), burst]
  }
  // a burst cannot be above the quota: one that fits the current quota is written before the new quota, which may be lower
  const burst = find('cpu.max.burst') ?? find('cpu.cfs_burst_us')
  const current = (read('cpu.max') ?? read('cpu.cfs_quota_us'))?.split(' ')[0]
  if (burst && (current === 'max' || current === '-1' || BigInt(burst.value) <= BigInt(current ?? 0))) putFirst(burst)
  const [limit, both] = [find('memory.limit_in_bytes'), find('memory.memsw.limit_in_bytes')]
  if (limit && !both) refuseAboveBoth(limit, read('memory.memsw.limit_in_bytes'))
  // the limit of memory and swap cannot be below that of memory
  if (limit && both && (both.value === '-1' || BigInt(both.value) >= BigInt(read(limit.file) ?? 0))) putFirst(both)
  return ordered
}

/** @throws OPTION_INVALID */
function refuseAboveBoth({ value }: ResourceWrite, both: string | undefined): void {
  if (both === undefined || BigInt(both) >= unlimited || (value !== '-1' && BigInt(value) <= BigInt(both))) return
  throw invalid(
    'memory.limit',
    value,
    `memory.swap, too: it is ${both} now`,
    'memory+swap limit should be >= memory limit',
  )
}
