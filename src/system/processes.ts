// SPDX-License-Identifier: Apache-2.0
// Starts helper programs (pasta, CNI plugins, systemd-run), and changes this process's priority. The C core starts
// jobs.
export * from './node/processes.ts'
