// SPDX-License-Identifier: Apache-2.0
// Exports the public API of the package.

export type { DeviceIo, Pressure, Stall } from './cgroup/controllers/figure.ts'
export type {
  FigureValues,
  MemoryStatKey,
  RateValues,
  ReportCounts,
} from './cgroup/controllers/figure-types.generated.ts'
export type { CpuStats } from './cgroup/cpu.ts'
export type { GroupEvent, PressureTrigger } from './cgroup/event-sources.ts'
export type {
  CpuStat,
  FiguresByDevice,
  FileInputs,
  FileValues,
  FlagInput,
  IoLimit,
  IoStat,
  KeyedFigures,
  LimitsByDevice,
  ListInput,
  MemoryEvents,
  MemoryStat,
  PidsInput,
  RdmaEvent,
  RdmaResource,
  SizeInput,
  WeightInput,
} from './cgroup/file-values.ts'
export type { GroupPaths } from './cgroup/group-paths.ts'
export type { GroupPressure, GroupStats, StatsReader } from './cgroup/group-stats.ts'
export { type CgroupLayout, layout } from './cgroup/layout.ts'
export type { SetOptions } from './cgroup/set-file.ts'
export type { CpuMax, FilePressure, FileStall, FlatKeyed, NestedKeyed } from './cgroup/value-read.ts'
export type { WatchOptions } from './cgroup/watch.ts'
export type { Code } from './errors/codes.generated.ts'
export { HutchError } from './errors/errors.ts'
export type { Hierarchy, Layout } from './host/hierarchy.ts'
export type { MemoryUse } from './host/kernel-record.ts'
export type { OuterLimit } from './host/outer-limits.ts'
export { Cgroup, type CreateOptions } from './library/cgroup.ts'
export { enterScope } from './library/scope.ts'
export { openStats } from './library/stats.ts'
export { type GroupRates, rates } from './monitor/rates.ts'
export type { GroupSample, Snapshot } from './monitor/sample.ts'
export { openSampler, type Sampler } from './monitor/sampler.ts'
export type { NamespaceKind } from './namespaces/namespace.ts'
export type { BudgetOptions } from './options/budgets.ts'
export type { LandlockRule } from './options/landlock-option.ts'
export type { OutputOptions } from './options/library.ts'
export type { Limits, LimitValues } from './options/limit-words.ts'
export type { MountOption } from './options/mount-options.ts'
export type { NameOptions } from './options/name-options.ts'
export type { NamespaceOptions } from './options/namespace-options.ts'
export type { NetworkOptions } from './options/network-option.ts'
export type { RunOptions } from './options/options.ts'
export type { PrivilegeOptions } from './options/privilege-options.ts'
export type { AppliedOuterLimit } from './plan/outer-limits.ts'
export type { OrderOptions } from './pool/job-request.ts'
export { createPool, type JobOptions, Pool, type PoolOptions, type PoolStats } from './pool/pool.ts'
export type { Input, InputChunk } from './run/input.ts'
export { Job, type JobOf, run, start } from './run/job.ts'
export { RunError } from './run/run-error.ts'
export type { Encoding, OutputOf, ResultOf, StartOptions, StdioOption, Typed } from './run/start-options.ts'
export type { Stdio } from './run/stdio-sources.ts'
export type { RefusedCall } from './seccomp/notification.ts'
export type { ManagerKind } from './systemd/address.ts'
export type { Scope, ScopeOptions } from './systemd/scope.ts'
export type { Limit } from './text/units.ts'
export type {
  Cause,
  CauseCounts,
  CauseKind,
  CauseLimit,
  CauseVictim,
  Confidence,
  Denier,
  Figure,
  JobEnd,
  Level,
  OptionKey,
  Remedy,
  SideEvent,
} from './verdict/cause.ts'
export type { ContestStatus } from './verdict/contest-status.ts'
export type { EvidenceLine } from './verdict/limit-words.ts'
export type { JobEvent, Output, Reason, Result, StreamCounts, Verdict } from './verdict/result.ts'
export type { Usage } from './verdict/usage.ts'
export type { Explanation, Victim, WhyCause } from './why/explanation.ts'
export type { Report } from './why/report.ts'
export { type WhyTarget, why } from './why/why.ts'
