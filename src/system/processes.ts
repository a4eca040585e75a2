// SPDX-License-Identifier: Apache-2.0
// Helper programs (pasta, CNI plugins, systemd-run), and the priority of this process. Jobs are started by the C core.
export * from './node/processes.ts'
