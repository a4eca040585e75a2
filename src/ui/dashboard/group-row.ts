// SPDX-License-Identifier: Apache-2.0
// Makes the row of a group's figures for the page. Pure.
import type { GroupRates } from '../../monitor/rates.ts'
import type { GroupSample } from '../../monitor/sample.ts'
import type { Row } from './api-types.ts'

export function makeRow(sample: GroupSample, rates: GroupRates | undefined): Row {
  return {
    populated: sample.populated,
    frozen: sample.frozen || undefined,
    cpus: round(rates?.cpus, 1000),
    cpuMax: sample.cpuMax,
    memory: sample.memory,
    memoryMax: sample.memoryMax,
    memoryHigh: sample.memoryHigh,
    memoryPeak: sample.memoryPeak,
    swap: sample.swap,
    swapMax: sample.swapMax,
    pids: sample.pids,
    pidsMax: sample.pidsMax,
    oomKills: sample.oomKills,
    pidsRefused: sample.pidsRefused,
    throttled: round(rates?.throttled, 1000),
    cpuStalled: round(rates?.cpuStalled, 10_000),
    memoryStalled: round(rates?.memoryStalled, 10_000),
    ioStalled: round(rates?.ioStalled, 10_000),
    readBytes: round(rates?.readBytes, 1),
    writtenBytes: round(rates?.writtenBytes, 1),
  }
}

/** Returns whether the group is idle, so that its row stays the same until its sample changes. */
export function isQuiet(row: Row, sample: GroupSample): boolean {
  return (
    row.cpus === (sample.cpuUsec === undefined ? undefined : 0) &&
    !row.throttled &&
    !row.cpuStalled &&
    !row.memoryStalled &&
    !row.ioStalled &&
    !row.readBytes &&
    !row.writtenBytes
  )
}

function round(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : Math.round(value * by) / by
}
