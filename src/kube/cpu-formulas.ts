// SPDX-License-Identifier: Apache-2.0
// Converts CPU amounts to values of the cpu controller, as the kubelet and container runtimes do. Pure.
import { containerWeight } from '../cgroup/v1/translate.ts'

/** Smallest and largest value of cpu.shares. */
const [minShares, maxShares] = [2, 262_144]
/** Smallest quota, in microseconds. */
const minQuotaUsec = 1000

/** Converts milli-CPUs to cpu.shares: 1024 for each CPU. kubernetes/kubernetes: pkg/kubelet/cm/helpers_linux.go */
export function sharesOfMilli(milliCpus: number): number {
  return Math.min(maxShares, Math.max(minShares, Math.floor((milliCpus * 1024) / 1000)))
}

/** Converts milli-CPUs to a quota in each period, in microseconds. Without milli-CPUs, no quota applies. kubernetes/kubernetes: pkg/kubelet/cm/helpers_linux.go */
export function quotaOfMilli(milliCpus: number, periodUsec: number): number | 'max' {
  return milliCpus === 0 ? 'max' : Math.max(minQuotaUsec, Math.floor((milliCpus * periodUsec) / 1000))
}

/** Converts cpu.shares to cpu.weight in proportion (KEP-2254): the kubelet for its own groups, runtimes before runc 1.3.2 and crun 1.23. */
export function linearWeight(shares: number): number {
  return shares >= maxShares ? 10_000 : 1 + Math.floor(((shares - minShares) * 9999) / (maxShares - minShares))
}

/** Converts cpu.shares to cpu.weight by the given formula of a container runtime. */
export function runtimeWeight(shares: number, formula: 'linear' | 'quadratic'): number {
  return formula === 'linear' ? linearWeight(shares) : containerWeight(shares)
}
