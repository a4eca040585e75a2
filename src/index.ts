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
export type { Limits } from './plan/limit-options.ts'
export type { MountOption } from './plan/mounts.ts'
export type { RunOptions } from './plan/options.ts'
export { Job, run, type StartOptions, start } from './run/job.ts'
export { createPool, type JobOptions, Pool, type PoolOptions, type PoolStats } from './run/pool.ts'
export type { Stdio } from './run/streams.ts'
export type { Explanation, Victim, WhyCause } from './run/why/explanation.ts'
export { type WhyTarget, why } from './run/why/why.ts'
export type { NamespaceKind } from './sandbox/namespace.ts'
export type { RefusedCall } from './seccomp/refused-call.ts'
export { type GroupRates, rates } from './survey/rates.ts'
export type { DeviceIo, GroupSample, Pressure, Snapshot, Stall } from './survey/sample.ts'
export { openSurvey, type Survey } from './survey/survey.ts'
export { enterScope, type Scope, type ScopeOptions } from './systemd/scope.ts'
export type {
  Cause,
  CauseCounts,
  CauseKind,
  CauseLimit,
  CauseVictim,
  Confidence,
  Figure,
  JobEnd,
  Level,
  OptionKey,
  Remedy,
  SideEvent,
} from './verdict/cause.ts'
export type { JudgeStatus } from './verdict/contest-status.ts'
export type { JobEvent, Reason, Result, Verdict } from './verdict/result.ts'
export type { Usage } from './verdict/usage.ts'
