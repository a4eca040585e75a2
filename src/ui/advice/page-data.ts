// SPDX-License-Identifier: Apache-2.0
// What the page of `hutch advise --html` shows. Types only; the browser's part imports them, too.

/** The content of the page: the lines of the report, and the values of its charts. */
export interface PageData {
  headline: string
  lines: [label: string, text: string][]
  runs: { memory: number | null; ms: number; outcome: string; passed: boolean; purpose: string }[]
  /** The advised limit of memory in bytes. */
  advised: number | null
  cpuTimes: { cpus: number; ms: number }[]
  packed: { name: string; count: number; pods: number; share: { cpu: number; memory: number } }[]
}
