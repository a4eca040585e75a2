// SPDX-License-Identifier: Apache-2.0
// The public API.
export type { SetOptions } from './cgroup/assign.ts'
export { Cgroup, type CreateOptions } from './cgroup/cgroup.ts'
export type { GroupEvent, PressureTrigger } from './cgroup/event-sources.ts'
export type { FileInputs, FileValues } from './cgroup/file-values.ts'
export { type GroupPressure, type GroupStats, openStats, type StatsReader } from './cgroup/group-stats.ts'
export { type CgroupLayout, layout } from './cgroup/layout.ts'
export type { WatchOptions } from './cgroup/watch.ts'

export { type Code, HutchError } from './errors.ts'
export type { MountOption } from './plan/mounts.ts'
export type { Limits, RunOptions } from './plan/options.ts'
export { Job, run, type StartOptions, type Stdio, start } from './run/job.ts'
export type { JobEvent, Reason, Result, Verdict } from './run/result.ts'
export type { Usage } from './run/usage.ts'
export type { NamespaceKind } from './sandbox/namespace.ts'
export { enterScope, type Scope, type ScopeOptions } from './systemd/scope.ts'
