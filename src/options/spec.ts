// SPDX-License-Identifier: Apache-2.0
// The one input type: what every front door (CLI, library, later OCI and Pod) turns its words into.
import type { LimitWrite } from '../cgroup/v1/translate.ts'
import type { Root } from '../mounts/root.ts'
import type { Network } from '../network/network.ts'
import type { JudgingSpec } from './budgets.ts'
import type { PathRule } from './landlock-option.ts'
import type { Names } from './name-options.ts'
import type { NamespaceSpec } from './namespace-options.ts'
import type { PrivilegeSpec } from './privilege-options.ts'
import type { SeccompWish } from './seccomp-option.ts'
import type { Sysctl } from './sysctl-option.ts'

/** Who speaks: errors name what the user typed. */
export type Door = 'cli' | 'library'

/** A run as asked for: checked word by word, but not yet against any machine. */
export interface Spec extends NamespaceSpec, JudgingSpec {
  door: Door
  command: string
  args: string[]
  /** In v2 names, or raw names of the host's own; the values as the kernel reads them. */
  limits: LimitWrite[]
  privileges: PrivilegeSpec
  /** Root's ids are mapped away, and the environment is bare. */
  sandbox?: boolean
  /** A reaping PID 1 of ours; false: the command is PID 1. */
  init: boolean
  hostname?: string
  domainname?: string
  /** Kernel settings of its namespaces. */
  sysctls: readonly Sysctl[]
  /** Its own /etc/hosts and /etc/resolv.conf. */
  names?: Names
  /** A root file system of its own. */
  root?: Root
  /** A connection that is made from outside while the job waits. */
  network?: Network
  /** What its system calls are filtered by. */
  seccomp?: SeccompWish
  /** The only files that it may use, as it sees them. */
  landlock?: PathRule[]
  /** Whether each refused call is reported. */
  seccompReport?: true
  /** All calls are recorded, and none is refused. */
  learn?: true
  /** Directory inside, before the command runs. */
  workdir?: string
  /** Added to, or changing, the caller's environment. */
  env: { [name: string]: string | undefined }
  /** As /etc/passwd knows it, or numbers: `user[:group]`. */
  user?: string
  /** 0: no limit. */
  timeoutMs: number
  killAfterMs: number
  /** Sent at the timeout, before SIGKILL. */
  stopSignal: number
  /** Group below which the job's is made, relative to the cgroup mount. */
  parent?: string
  /** The parent's own processes may be moved to a leaf. */
  evacuate?: boolean
}
