// SPDX-License-Identifier: Apache-2.0
// Defines Spec: the parsed options of a run, which are the planner's input. The command line and the library both
// produce it. Types only.
import type { LimitWrite } from '../cgroup/v1/translate.ts'
import type { Root } from '../mounts/root.ts'
import type { Network } from '../network/network.ts'
import type { FilterSource } from '../seccomp/load-profile.ts'
import type { BudgetSpec } from './budgets.ts'
import type { ContainerSpec } from './container-spec.ts'
import type { PathRule } from './landlock-option.ts'
import type { Names } from './name-options.ts'
import type { NamespaceSpec } from './namespace-options.ts'
import type { PrivilegeSpec } from './privilege-options.ts'
import type { Sysctl } from './sysctl-option.ts'

/** The front end that produced the Spec; errors use its names for options. */
export type SpecFrontendName = 'cli' | 'library'

/** A control group in one hierarchy. The job uses it but does not own it. */
export interface GroupPlace {
  /** Controller of a v1 hierarchy, or '' for the v2 tree. */
  controller: string
  directory: string
}

/**
 * Control groups whose names the caller chooses. With the lifetime `container`, the group stays after the command's
 * end, and no clean-up removes it. `enter` lists existing groups for the command to enter. They keep their limits and
 * also stay.
 */
type JobGroup = { name: string; lifetime: 'job' | 'container' } | { enter: readonly GroupPlace[] }

/** A requested run. Each option has been checked separately, but not yet against the facts of the machine. */
export interface Spec extends NamespaceSpec, BudgetSpec {
  frontend: SpecFrontendName
  command: string
  args: string[]
  /** Limits by kernel file, under v2 names or the v1 names of this host. Values are in the kernel's format. */
  limits: LimitWrite[]
  privileges: PrivilegeSpec
  /** True for the sandbox preset: root's ids are mapped to other ids, and few environment variables are passed on. */
  sandbox?: boolean
  /** True if hutch-init is PID 1 and reaps orphans; false if the command is PID 1. */
  init: boolean
  hostname?: string
  domainname?: string
  /** Kernel settings of the job's own namespaces. */
  sysctls: readonly Sysctl[]
  /** Lines to add to /etc/hosts, and settings to replace in /etc/resolv.conf. */
  names?: Names
  /** The job's own root directory and mounts. */
  root?: Root
  /** The network that hutch connects from outside while the job waits. */
  network?: Network
  /** Where the system call filter comes from. */
  seccomp?: FilterSource
  /** The only paths that the job may use, as the command sees them. */
  landlock?: PathRule[]
  /** True if the result lists each refused system call. */
  seccompReport?: true
  /** True if all system calls are allowed and recorded. */
  learn?: true
  /** Directory in which the command starts, as the job sees it. */
  workdir?: string
  /** Changes to the caller's environment. A variable whose value is undefined is removed. */
  env: { [name: string]: string | undefined }
  /** False if the caller's environment is not passed on. */
  extendEnv?: false
  /** User as `user[:group]`, by names in /etc/passwd and /etc/group or by numbers. */
  user?: string
  /** Timeout in milliseconds; 0 means no timeout. */
  timeoutMs: number
  killAfterMs: number
  /** Number of the signal that is sent at the timeout, before SIGKILL. */
  stopSignal: number
  /** The control group of the job. By default hutch chooses its name, and removes it at the job's end. */
  group?: JobGroup
  /** False if the command continues to run when its parent process ends. True by default. */
  dieWithParent?: false
  /**
   * `'nobody'` if this process runs no operations after the start. Another process then runs the program that
   * compileRest returns. By default this process runs them.
   */
  rest?: 'nobody'
  /** Inputs that replace the planner's choices, for a container that an OCI runtime creates. */
  container?: ContainerSpec
  /** Control group below which the job's group is created, relative to the cgroup mount. */
  parent?: string
  /** True if hutch may move processes out of the parent group into a new leaf group below it. */
  evacuate?: boolean
}
