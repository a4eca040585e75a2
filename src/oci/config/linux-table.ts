// SPDX-License-Identifier: Apache-2.0
// The properties of `linux` in config.json, except `resources`. Pure.
import type { NamespaceKind } from '../../namespaces/namespace.ts'
import { keysOf } from './process-table.ts'
import { resourcesShape } from './resources-table.ts'
import {
  absolutePath,
  flag,
  int64,
  list,
  mapOf,
  numericId,
  object,
  string,
  uint32,
  uint64,
  type ValueOf,
  whole,
  word,
} from './shape.ts'

/** Types of namespaces, with hutch's names for them. */
export const namespaceTypes = {
  mount: 'mount',
  pid: 'pid',
  network: 'net',
  uts: 'uts',
  ipc: 'ipc',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
} as const satisfies { [type: string]: NamespaceKind }

/** Types of propagation of mount_namespaces(7). */
export const propagationWords = ['private', 'slave', 'shared', 'unbindable'].flatMap((type) => [
  type as 'private',
  `r${type}` as 'rprivate',
]) as ('private' | 'slave' | 'shared' | 'unbindable' | 'rprivate' | 'rslave' | 'rshared' | 'runbindable')[]

/** Modes of set_mempolicy(2). */
export const memoryModes = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
} as const

/** Flags of a mode of set_mempolicy(2). */
export const memoryFlags = {
  MPOL_F_NUMA_BALANCING: 0x2000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_STATIC_NODES: 0x8000,
} as const

/** Execution domains of personality(2). */
export const personalityDomains = { LINUX: 0, LINUX32: 8 } as const

/** Id maps of a user namespace or of a mount. */
export const idMapShape = list(object({ containerID: numericId, hostID: numericId, size: whole(1, 2 ** 32 - 1) }, {}))

const paths = list(absolutePath)
const deviceNumber = whole(0, 2 ** 32 - 1)

/** The words in it are checked by src/seccomp, which reads the same profile from files. */
const seccompShape = object(
  { defaultAction: string() },
  {
    defaultErrnoRet: uint32,
    architectures: list(string()),
    flags: list(string()),
    listenerPath: string(),
    listenerMetadata: string(),
    syscalls: list(
      object(
        { names: list(string()), action: string() },
        {
          errnoRet: uint32,
          args: list(object({ index: uint32, value: uint64, op: string() }, { valueTwo: uint64 })),
        },
      ),
    ),
  },
)

export const linuxShape = object(
  {},
  {
    namespaces: list(object({ type: word(keysOf(namespaceTypes)) }, { path: string(/^(\/|$)/, 'an absolute path') })),
    uidMappings: idMapShape,
    gidMappings: idMapShape,
    timeOffsets: mapOf(object({}, { secs: int64, nanosecs: whole(0, 999_999_999) }), word(['monotonic', 'boottime'])),
    devices: list(
      object(
        { type: word(['c', 'b', 'u', 'p']), path: absolutePath },
        { major: deviceNumber, minor: deviceNumber, fileMode: uint32, uid: numericId, gid: numericId },
      ),
    ),
    netDevices: mapOf(object({}, { name: string() })),
    cgroupsPath: string(),
    resources: resourcesShape,
    rootfsPropagation: word(propagationWords),
    seccomp: seccompShape,
    sysctl: mapOf(string()),
    maskedPaths: paths,
    readonlyPaths: paths,
    mountLabel: string(),
    intelRdt: object(
      {},
      {
        closID: string(),
        schemata: list(string()),
        l3CacheSchema: string(),
        memBwSchema: string(),
        enableCMT: flag,
        enableMBM: flag,
        enableMonitoring: flag,
      },
    ),
    personality: object({ domain: word(keysOf(personalityDomains)) }, { flags: list(string()) }),
    memoryPolicy: object(
      { mode: word(keysOf(memoryModes)) },
      { nodes: string(), flags: list(word(keysOf(memoryFlags))) },
    ),
  },
)

/** The part of a container's configuration that only Linux has. */
export type OciLinux = ValueOf<typeof linuxShape>
