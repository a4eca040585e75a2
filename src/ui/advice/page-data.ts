// SPDX-License-Identifier: Apache-2.0
// What the page of `hutch advise --html` shows. Types only; the browser's part imports them, too.

/** The content of the page: the lines of the report, and the values of its charts. */
export interface PageData {
  headline: string
  lines: [label: string, text: string][]
  /** `memory` is the limit in bytes, and `limits` all limits in words. */
  runs: { memory: number | null; limits: string; ms: number; outcome: string; passed: boolean }[]
  /** The advised limit of memory in bytes. */
  advised: number | null
  cpuTimes: { cpus: number; ms: number }[]
  packed: { name: string; content: string; share: { cpu: number; memory: number } }[]
}
