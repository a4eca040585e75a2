// SPDX-License-Identifier: Apache-2.0
// Defines ContainerSpec: the inputs of a container whose creator has already decided everything that the planner decides
// for a job. No option sets them; an OCI runtime does. Types only.
import type { PlannedGroup } from '../cgroup/planned-group.ts'
import type { Extent } from '../namespaces/id-map.ts'

/** A set of capabilities as a mask: bit N is capability N. */
type CapabilitySet = number

/** The five capability sets of the command, see capabilities(7). */
interface CapabilitySets {
  bounding: CapabilitySet
  effective: CapabilitySet
  permitted: CapabilitySet
  inheritable: CapabilitySet
  ambient: CapabilitySet
}

/** Scheduling attributes as in sched_setattr(2). Times are in nanoseconds. */
interface SchedulerAttributes {
  policy: number
  flags: number
  nice: number
  priority: number
  runtime: number
  deadline: number
  period: number
}

/** The terminal of the command, a new pseudoterminal of the container. */
interface ContainerTerminal {
  /** Index in the list of streams of a connected Unix socket, which receives the master of the terminal. */
  socket: number
  rows: number
  columns: number
}

/** A mount namespace's way to its new root: pivot_root(2), or a moved mount and chroot(2) where `/` cannot be pivoted. */
type RootChange = 'pivot' | 'move'

/** Everything about a container that is decided before it is planned. */
export interface ContainerSpec {
  /**
   * The groups to create, in each hierarchy, with what is written to them. Empty if the command enters existing groups
   * (`group` of the Spec), or none.
   */
  groups: readonly PlannedGroup[]
  /** v2: the BPF program that decides which devices may be used. */
  deviceFilter?: readonly number[]
  /** The id maps of the new user namespace, with `user` in `isolate`. */
  maps?: { users: Extent[]; groups: Extent[] }
  /** The ids of the command. `groups` are its supplementary groups; undefined leaves those of this process. */
  ids: { uid: number; gid: number; groups?: readonly number[] }
  /** Undefined leaves the sets as the kernel changes them. */
  capabilities?: CapabilitySets
  umask?: number
  /** Name of the new session keyring; undefined keeps the keyring of this process. */
  keyring?: string
  terminal?: ContainerTerminal
  /** Texts for files in /proc/thread-self/attr that a Linux security module reads at the exec: `exec`, `apparmor/exec`. */
  labels?: readonly { file: string; value: string }[]
  schedulerAttributes?: SchedulerAttributes
  /** Processors of the child before it joins its groups, and of the command: sched_setaffinity(2). */
  affinity?: { initial?: readonly number[]; final?: readonly number[] }
  /** The memory policy of the command: set_mempolicy(2). `mode` includes its flags. */
  memoryPolicy?: { mode: number; nodes: readonly number[] }
  /** The execution domain of the command: personality(2). */
  personality?: number
  /**
   * True if the child waits after its namespaces exist and before its root is made. Meanwhile this process runs hooks,
   * or moves network devices. With a `hooked` root, the child waits after its mounts are made.
   */
  waitsBeforeRoot?: boolean
  /**
   * Index in the list of streams of a listening Unix socket (SOCK_SEQPACKET). After everything else is set up, the child
   * waits there until a process connects and sends GO. It then becomes the command. That process receives a report if
   * this fails. Undefined if the command starts at once.
   */
  startSocket?: number
  /** True if the child ends when this process ends before the start. False by default: another process may start it. */
  endsWithCreator?: boolean
  /** True if the program of the command must exist before the child waits for the start. */
  checksProgram?: boolean
  /** The argv[0] of the command; by default the word that names its program. */
  programName?: string
  /** How many streams above stderr the command keeps. The others are closed at the exec. */
  keptStreams: number
  rootChange?: RootChange
}
