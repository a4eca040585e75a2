// SPDX-License-Identifier: Apache-2.0
// The properties of `process` in config.json, which are also those of the file that `exec --process` reads. Pure.
import { capabilitiesOf, capabilityName } from '../../credentials/capability.ts'
import { resourceNames } from '../../credentials/rlimit.ts'
import {
  absolutePath,
  flag,
  list,
  numericId,
  object,
  type Shape,
  string,
  uint64,
  type ValueOf,
  whole,
  word,
} from './shape.ts'

/** Scheduling policies of sched(7), with the kernel's numbers. */
export const schedulerPolicies = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const

/** Flags of sched_setattr(2). */
export const schedulerFlags = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const

/** Classes of I/O priorities, with the numbers of ioprio_set(2). */
export const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const

/** The names of all five sets of capabilities. */
export const capabilitySetNames = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const

/** The words of a table of numbers. */
export function keysOf<T extends object>(table: T): readonly Extract<keyof T, string>[] {
  return Object.keys(table) as Extract<keyof T, string>[]
}

const anyKernel = [Number.POSITIVE_INFINITY, 0] as const
const capabilities = list(word(capabilitiesOf(anyKernel).map(capabilityName)))
const cpuList = string(/^[\d, -]*$/, 'a list of processors such as 0-3,7')

export const processShape = object(
  { cwd: absolutePath, args: list(string()) },
  {
    terminal: flag,
    consoleSize: object({ height: uint64, width: uint64 }, {}),
    user: object({ uid: numericId, gid: numericId }, { umask: whole(0, 0o777), additionalGids: list(numericId) }),
    env: list(string()),
    rlimits: list(
      object(
        { type: word(resourceNames.map((name) => `RLIMIT_${name.toUpperCase()}`)), soft: uint64, hard: uint64 },
        {},
      ),
    ),
    capabilities: object(
      {},
      Object.fromEntries(capabilitySetNames.map((name) => [name, capabilities])) as {
        [K in (typeof capabilitySetNames)[number]]: Shape<string[]>
      },
    ),
    noNewPrivileges: flag,
    apparmorProfile: string(),
    selinuxLabel: string(),
    oomScoreAdj: whole(-1000, 1000),
    scheduler: object(
      { policy: word(keysOf(schedulerPolicies)) },
      {
        nice: whole(-20, 19),
        priority: whole(0, 99),
        flags: list(word(keysOf(schedulerFlags))),
        runtime: uint64,
        deadline: uint64,
        period: uint64,
      },
    ),
    ioPriority: object({ class: word(keysOf(ioClasses)) }, { priority: whole(0, 7) }),
    execCPUAffinity: object({}, { initial: cpuList, final: cpuList }),
  },
)

/** A process of a container, as its creator requests it. */
export type OciProcess = ValueOf<typeof processShape>
