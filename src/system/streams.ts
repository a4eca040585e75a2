// SPDX-License-Identifier: Apache-2.0
// Streams and emitters of Node. They are part of the public API (run/stdio.ts, run/job.ts, cgroup/cgroup.ts), so a host without Node has no
// implementation.
export * from './node/streams.ts'
