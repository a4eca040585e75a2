// SPDX-License-Identifier: Apache-2.0
// Samples all groups for the dashboard and sends the changes to the open pages. Samples once a second while a page is
// open, otherwise rarely.

import { availableParallelism, hostname, totalmem } from 'node:os'
import type { Host } from '../../host/host.ts'
import { rates } from '../../monitor/rates.ts'
import type { GroupSample, Snapshot } from '../../monitor/sample.ts'
import { openSampler } from '../../monitor/sampler.ts'
import type { All, Change, GroupRow, Past } from './api-types.ts'
import { isQuiet, makeRow } from './group-row.ts'
import { makePageHistory } from './history.ts'
import { openAlarms } from './kernel-events.ts'
import { makeMarks } from './markers.ts'

interface Feed {
  /** Switches frequent sampling on or off: on while a page is open. */
  watched(by: boolean): void
  all(): All
  history(path: string): Past
  has(path: string): boolean
  /** Takes a sample at once, because a limit was changed. */
  refresh(): void
  close(): void
}

const second = 1000

/** Maximum share of one processor that sampling may use while no page is open. */
const idleShare = 1 / 200

/** Maximum share of one processor that sampling may use for early samples, which new or removed groups trigger. */
const hurriedShare = 1 / 50

export function openFeed(host: Host, allowChanges: boolean, changed: (change: Change) => void): Feed {
  const survey = openSampler(host)
  const history = makePageHistory()
  const marks = makeMarks()
  let rows = new Map<string, GroupRow>()
  let before: Snapshot | undefined
  let isWatched = false
  let cost = 0
  let last = 0
  let kept = 0
  let timer: NodeJS.Timeout | undefined

  const takeSample = (full = false) => {
    const begun = performance.now()
    const now = survey.sample(full)
    const next = new Map<string, GroupRow>()
    const moving = new Map<string, GroupSample>()
    for (const [path, sample] of now.groups) {
      const known = rows.get(path)
      const same = known !== undefined && before?.groups.get(path) === sample && isQuiet(known, sample)
      if (!same) moving.set(path, sample)
      // insert the group now to keep its position, so that parents precede their children
      next.set(path, known ?? {})
    }
    const rate = before === undefined ? undefined : rates(before, { time: now.time, groups: moving })
    for (const [path, sample] of moving) next.set(path, makeRow(sample, rate?.get(path)))
    const change: Change = { time: now.time, rows: {}, gone: [], marks: [] }
    for (const path of moving.keys()) change.rows[path] = next.get(path)!
    for (const path of rows.keys()) if (!next.has(path)) change.gone.push(path)
    const old = rows
    marks.take(now.time, change.rows, (path) => old.size === 0 || old.has(path))
    marks.forget(change.gone)
    change.marks = marks.fresh()
    // early samples, less than a second after the last, are not added to the history
    if (now.time - kept > 900) {
      history.add(now.time, next)
      kept = now.time
    }
    rows = next
    before = now
    alarms.follow(next)
    changed(change)
    last = begun
    cost = performance.now() - begun
  }
  const plan = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      takeSample()
      plan(pause())
    }, ms)
  }
  // computed from the clock, so that the times of samples do not drift
  const pause = () =>
    isWatched ? second - (Date.now() % second) || second : Math.min(30 * second, Math.max(second, cost / idleShare))
  const alarms = openAlarms(
    host,
    (at, group, kind, total) => {
      marks.report(at, group, kind, total)
      const fresh = marks.fresh()
      if (fresh.length > 0) changed({ time: before?.time ?? at, rows: {}, gone: [], marks: fresh })
    },
    () => {
      const soon = last + Math.max(100, cost / hurriedShare) - performance.now()
      if (isWatched && soon < pause()) plan(Math.max(0, soon))
    },
  )
  takeSample()
  plan(pause())
  return {
    watched(by) {
      if (by === isWatched) return
      isWatched = by
      if (by) takeSample()
      plan(pause())
    },
    all: () => ({
      time: before!.time,
      host: { name: hostname(), memory: totalmem(), cpus: availableParallelism(), layout: host.layout },
      allowChanges,
      rows: Object.fromEntries(rows),
      marks: [...marks.all],
    }),
    history: (path) => history.of(path),
    has: (path) => rows.has(path),
    refresh: () => takeSample(true),
    close() {
      clearTimeout(timer)
      alarms.close()
      survey.close()
    },
  }
}
