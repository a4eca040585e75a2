// SPDX-License-Identifier: Apache-2.0
// Spec: the parsed options of a run, the input of the planner. The CLI and the library both produce it. Types only.
import type { LimitWrite } from '../cgroup/v1/translate.ts'
import type { Root } from '../mounts/root.ts'
import type { Network } from '../network/network.ts'
import type { FilterSource } from '../seccomp/load-profile.ts'
import type { BudgetSpec } from './budgets.ts'
import type { PathRule } from './landlock-option.ts'
import type { Names } from './name-options.ts'
import type { NamespaceSpec } from './namespace-options.ts'
import type { PrivilegeSpec } from './privilege-options.ts'
import type { Sysctl } from './sysctl-option.ts'

/** Front end whose option names errors use. */
export type SpecFrontendName = 'cli' | 'library'

/** A requested run. Each option is checked, but not yet against the facts of the machine. */
export interface Spec extends NamespaceSpec, BudgetSpec {
  frontend: SpecFrontendName
  command: string
  args: string[]
  /** Limits under v2 names, or under v1 names of the host; values are in the kernel's format. */
  limits: LimitWrite[]
  privileges: PrivilegeSpec
  /** True if root's ids are mapped to others, and the environment is minimal. */
  sandbox?: boolean
  /** True if hutch-init is PID 1 and reaps orphans; false if the command is PID 1. */
  init: boolean
  hostname?: string
  domainname?: string
  /** Kernel settings of the job's own namespaces. */
  sysctls: readonly Sysctl[]
  /** Changes of /etc/hosts and /etc/resolv.conf. */
  names?: Names
  /** The job's own root file system. */
  root?: Root
  /** Network connection, made from outside while the job waits. */
  network?: Network
  /** Source of the system call filter. */
  seccomp?: FilterSource
  /** The only paths that the job may use, as the command sees them. */
  landlock?: PathRule[]
  /** True if the result lists each refused call. */
  seccompReport?: true
  /** True if all calls are recorded and no call is refused. */
  learn?: true
  /** Directory inside in which the command starts. */
  workdir?: string
  /** Changes of the caller's environment; undefined removes a variable. */
  env: { [name: string]: string | undefined }
  /** False if the caller's environment is not passed on. */
  extendEnv?: false
  /** Name in /etc/passwd, or numbers: `user[:group]`. */
  user?: string
  /** Milliseconds; 0 means no limit. */
  timeoutMs: number
  killAfterMs: number
  /** Number of the signal at the timeout, before SIGKILL. */
  stopSignal: number
  /** Parent of the job's group, relative to the cgroup mount. */
  parent?: string
  /** True if hutch may move the parent's own processes to a leaf. */
  evacuate?: boolean
}
