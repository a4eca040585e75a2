// SPDX-License-Identifier: Apache-2.0
// The public API.
export { type Code, HutchError } from './errors.ts'
export type { Limits, RunOptions } from './plan/options.ts'
export { Job, run, type StartOptions, type Stdio, start } from './run/job.ts'
export type { JobEvent, Reason, Result, Verdict } from './run/result.ts'
export type { Usage } from './run/usage.ts'
export type { NamespaceKind } from './sandbox/namespace.ts'
export { enterScope, type Scope, type ScopeOptions } from './systemd/scope.ts'
