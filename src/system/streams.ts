// SPDX-License-Identifier: Apache-2.0
// Exports Node's streams and emitters. They are part of the public API (run/stdio.ts, run/job.ts, library/cgroup.ts), so
// a host without Node cannot implement this module.
export * from './node/streams.ts'
