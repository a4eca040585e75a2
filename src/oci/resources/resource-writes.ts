// SPDX-License-Identifier: Apache-2.0
// Holds the table of controllers, and converts linux.resources to writes for the hierarchies of a host. Called by plan-groups.ts
// and update. Pure.
import { controllerOf } from '../../cgroup/v1/translate.ts'
import { fail } from '../../errors/errors.ts'
import type { LinuxResources } from './linux-resources.ts'
import { rdmaWrites } from './resource-tables.ts'
import { invalid, nameProperty, type ResourceFacts, type ResourceWrite } from './resource-values.ts'
import { blkioToV1, cpuToV1, hugetlbToV1, memoryToV1, netClassToV1, netPriorityToV1 } from './v1-writes.ts'
import { cpusetWrites, cpuToV2, hugetlbToV2, ioToV2, memoryToV2, pidsWrites, refuseNetwork } from './v2-writes.ts'

type Convert = (resources: LinuxResources, facts: ResourceFacts) => ResourceWrite[]

/** A controller: its names, and its writes in each version. Its v2 name is '' if it exists only on v1. */
interface ControllerRow {
  v1: string
  v2: string
  toV1: Convert
  toV2: Convert
}

const same = (name: string, convert: Convert): ControllerRow => ({ v1: name, v2: name, toV1: convert, toV2: convert })

const rows: readonly ControllerRow[] = [
  same('cpuset', cpusetWrites),
  { v1: 'cpu', v2: 'cpu', toV1: cpuToV1, toV2: cpuToV2 },
  { v1: 'memory', v2: 'memory', toV1: memoryToV1, toV2: memoryToV2 },
  same('pids', pidsWrites),
  { v1: 'blkio', v2: 'io', toV1: blkioToV1, toV2: ioToV2 },
  { v1: 'hugetlb', v2: 'hugetlb', toV1: hugetlbToV1, toV2: hugetlbToV2 },
  same('rdma', rdmaWrites),
  { v1: 'net_cls', v2: '', toV1: netClassToV1, toV2: refuseNetwork },
  { v1: 'net_prio', v2: '', toV1: netPriorityToV1, toV2: refuseNetwork },
]

/** The controllers that groups of a host can have. */
export interface ControllerPlaces {
  /** Controllers with a v1 hierarchy. */
  v1: readonly string[]
  /** Controllers of the v2 tree; undefined if no v2 tree is mounted. */
  v2: readonly string[] | undefined
}

/** Writes by hierarchy: the key is a v1 controller, or '' for the v2 tree. */
type WritesByHierarchy = ReadonlyMap<string, readonly ResourceWrite[]>

/**
 * Returns the writes in each hierarchy. `unified` comes last, and so has precedence.
 *
 * @throws OPTION_INVALID, CGROUP_CONTROLLER_MISSING, CGROUP_LIMIT_UNSUPPORTED
 */
export function convertResources(
  resources: LinuxResources,
  places: ControllerPlaces,
  facts: ResourceFacts,
): WritesByHierarchy {
  const writes = new Map<string, ResourceWrite[]>()
  const add = (key: string, more: readonly ResourceWrite[]) => {
    if (more.length > 0) writes.set(key, [...(writes.get(key) ?? []), ...more])
  }
  for (const { v1, v2, toV1, toV2 } of rows) {
    if (places.v1.includes(v1)) add(v1, toV1(resources, facts))
    else {
      const more = toV2(resources, facts)
      if (more.length > 0 && !places.v2?.includes(v2)) throw missing(v2, more[0]!.origin, places)
      add('', more)
    }
  }
  add('', unifiedWrites(resources, places))
  return writes
}

/** @throws OPTION_INVALID, CGROUP_CONTROLLER_MISSING, CGROUP_LIMIT_UNSUPPORTED */
function unifiedWrites({ unified = {} }: LinuxResources, places: ControllerPlaces): ResourceWrite[] {
  return Object.entries(unified).map(([file, value]) => {
    const property = `unified[${JSON.stringify(file)}]`
    if (!/^[a-zA-Z][\w-]*\.[\w.-]+$/.test(file) || typeof value !== 'string')
      throw invalid('unified', file, 'the name of a file in a v2 group, without a directory, and a string')
    const controller = controllerOf(file)
    if (places.v2 === undefined || (controller !== 'cgroup' && !places.v2.includes(controller)))
      throw missing(controller, nameProperty(property), places)
    return { file, value, origin: nameProperty(property) }
  })
}

function missing(controller: string, origin: string, { v1, v2 }: ControllerPlaces) {
  return fail('CGROUP_CONTROLLER_MISSING', {
    controller,
    origin,
    where: v2 === undefined ? 'cgroup v1' : 'the v2 tree',
    available: [...(v2 ?? []), ...v1.map((name) => `${name} (v1)`)].join(', '),
  })
}
