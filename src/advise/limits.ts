// SPDX-License-Identifier: Apache-2.0
// Computes the limits to advise from what a command needs: CPUs and tasks. Pure.
import type { CpuNeed } from './cpu-need.ts'

/** CPU limits are in steps of 10 thousandths, the kernel's smallest quota. */
const milliStep = 10
const cpuMargin = 0.05
const pidsMargin = 0.25
const morePids = 8

/** Returns CPUs in thousandths, rounded up to the kernel's smallest step. */
export function milliCpus(cpus: number): number {
  return Math.max(milliStep, Math.ceil((cpus * 1000) / milliStep) * milliStep)
}

/** Returns the limit of CPUs to advise in thousandths. Undefined if it would be all that the host has. */
export function cpuLimitOf({ need }: Pick<CpuNeed, 'need'>, hostCpus: number): number | undefined {
  const limit = milliCpus(need * (1 + cpuMargin))
  return limit >= hostCpus * 1000 ? undefined : limit
}

/** Returns the limit of tasks to advise. */
export function pidsLimitOf(peak: number): number {
  return Math.ceil(peak * (1 + pidsMargin)) + morePids
}
